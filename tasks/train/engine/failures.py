"""Why trials fail, and which failures are worth another attempt."""

from __future__ import annotations

import errno
import signal

from conf.runtime.errors import BadInput, DenseError
from tasks.train.engine.outcome import Cause
from tasks.train.folder import TrialFolder
from tasks.train.spec import Result, TrialSpec

# Errors of the machine rather than of the configuration.
MACHINE_ERRNOS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.EROFS, errno.EMFILE, errno.ENFILE}
)
OUT_OF_MEMORY_TEXTS = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "alloc_failed",
)
MACHINE_TEXTS = (
    "nccl",
    "gloo",
    "connection reset",
    "connection closed",
    "ecc error",
    "unspecified launch failure",
    "no space left",
    "dataloader worker",
)


class NotFinite(ArithmeticError):
    """The loss or a prediction is not a number, or the loss is far above its start."""


def classify(error: BaseException) -> Cause:
    """Why a trial failed, from the exception that ended it."""
    if isinstance(error, NotFinite):
        return "nan"
    text = str(error).lower()
    name = type(error).__name__
    if isinstance(error, MemoryError) or name == "OutOfMemoryError":
        return "oom"
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return "oom"
    if isinstance(error, RuntimeError) and any(part in text for part in OUT_OF_MEMORY_TEXTS):
        return "oom"
    if isinstance(error, (ConnectionError, TimeoutError)) or name.startswith("Dist"):
        return "infrastructure"
    if isinstance(error, OSError) and error.errno in MACHINE_ERRNOS:
        return "infrastructure"
    if isinstance(error, RuntimeError) and any(part in text for part in MACHINE_TEXTS):
        return "infrastructure"
    return "error"


def classify_status(signal_number: int | None, *, memory_was_short: bool) -> Cause:
    """Why a process that left no result ended, when nobody here ended it.

    Args:
        signal_number: the signal that killed it, or None when it exited by itself.
        memory_was_short: whether memory was near its limit meanwhile.
    """
    if signal_number == signal.SIGKILL and memory_was_short:
        return "oom"
    return "infrastructure" if signal_number is None else "killed"


def failure(error: Exception, spec: TrialSpec, folder: TrialFolder) -> Result:
    """The result of an attempt that raised."""
    return Result(
        outcome="failed",
        cause=classify(error),
        message=short(error),
        refused=isinstance(error, BadInput),
        attempt=spec.attempt,
        until=spec.until,
        epochs=folder.finished_epochs(),
    )


def short(error: BaseException) -> str:
    """One line about an error; a sentence that is for the user stands alone."""
    lines = str(error).strip().splitlines()
    first = lines[0] if lines else ""
    if isinstance(error, DenseError) and first:
        return first if len(first) <= 500 else first[:497] + "..."
    text = f"{type(error).__name__}: {first}" if first else type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."
