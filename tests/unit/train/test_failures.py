"""Every failure has a cause, and the cause says whether it is tried again."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys

import pytest
import torch

from conf.runtime.errors import BadInput
from tasks.train.engine.failures import NotFinite, classify, classify_status, short


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (NotFinite("the loss is nan"), "nan"),
        (MemoryError(), "oom"),
        (torch.OutOfMemoryError("CUDA out of memory"), "oom"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: ..."), "oom"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"), "oom"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "oom"),
        (OSError(errno.ENOSPC, "No space left on device"), "infrastructure"),
        (OSError(errno.EIO, "Input/output error"), "infrastructure"),
        (RuntimeError("NCCL error in: ProcessGroupNCCL.cpp"), "infrastructure"),
        (RuntimeError("DataLoader worker (pid 1) is killed by signal"), "infrastructure"),
        (ConnectionResetError("peer"), "infrastructure"),
        (FileNotFoundError(errno.ENOENT, "No such file"), "error"),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), "error"),
        (ValueError("out of memory is what this text is about"), "error"),
        (ZeroDivisionError("division by zero"), "error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value,
)
def test_an_exception_has_a_cause(error: Exception, cause: str) -> None:
    assert classify(error) == cause


def test_a_real_allocation_that_is_too_large_is_oom() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**46)
    assert classify(caught.value) == "oom"


@pytest.mark.parametrize(
    ("number", "short_of_memory", "cause"),
    [
        (signal.SIGKILL, True, "oom"),
        (signal.SIGKILL, False, "killed"),
        (signal.SIGSEGV, True, "killed"),
        (None, False, "infrastructure"),
    ],
)
def test_a_death_without_a_result_has_a_cause(
    number: int | None, short_of_memory: bool, cause: str
) -> None:
    assert classify_status(number, memory_was_short=short_of_memory) == cause


def test_a_message_is_one_short_line() -> None:
    assert short(ValueError("first\nsecond")) == "ValueError: first"
    assert short(BadInput("train.lr: too high; lower it")) == "train.lr: too high; lower it"
    assert short(ValueError()) == "ValueError"
    assert len(short(ValueError("x" * 1000))) == 300


def test_the_causes_load_no_torch() -> None:
    code = (
        "import sys, tasks.train.engine.failures, tasks.train.engine.outcome; "
        "print('torch' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.strip() == "False"
