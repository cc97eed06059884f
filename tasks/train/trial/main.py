"""The life of a trial's process: lock, slot, training, result."""

from __future__ import annotations

import mmap
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tasks.train.engine import capacity, locks, slots
from tasks.train.engine.failures import failure
from tasks.train.engine.protocol import Reporter
from tasks.train.folder import TrialFolder
from tasks.train.spec import Result, TrialSpec
from tasks.train.trial import elastic, fit

Training = Callable[[TrialSpec, TrialFolder, Reporter, Callable[[], bool]], Result | None]
LOCK_SECONDS = 60.0


class StopRequested(Exception):
    """The user's wish to stop came while the trial waited."""


@dataclass
class StopFlag:
    """Whether the driver has asked this trial to end after its present epoch.

    It stands in memory that the processes which the trial forks share.
    """

    shared: mmap.mmap = field(default_factory=lambda: mmap.mmap(-1, 1))

    def listen(self) -> None:
        """The wish comes as SIGUSR2; Lightning gives SIGTERM a meaning of its own."""
        signal.signal(signal.SIGUSR2, self._hear)

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self.shared[0] = 1

    def __call__(self) -> bool:
        """Whether the driver has asked."""
        return self.shared[0] == 1

    def raise_if_set(self) -> None:
        """End the wait for a slot."""
        if self():
            raise StopRequested


def main(path: Path, reporter: Reporter) -> int:
    """Run the trial whose `spec.json` stands in the folder; the exit status is 0 if it could say
    how it ended."""
    folder = TrialFolder(path)
    wish = StopFlag()
    wish.listen()
    lock = locks.lock_trial(folder.lock, wait=LOCK_SECONDS)
    spec = TrialSpec.read(path)
    try:
        slot = take_slot(spec, wish)
    except StopRequested:
        return 0
    holder = locks.TrialHolder.this_process()
    began = {"began": time.time(), "attempt": spec.attempt}
    locks.write_holder(lock, holder.model_copy(update=began))
    reporter.began(None if slot is None else slot.number)
    result = attempt(spec, folder, reporter, wish)
    folder.progress.unlink(missing_ok=True)
    if result is not None:
        if slot is not None:
            result = result.model_copy(update={"slot": slot.number})
        result.write(path)
        if result.outcome == "complete":
            fit.remove_checkpoints(folder)
    return 0


def take_slot(spec: TrialSpec, wish: StopFlag) -> slots.Slot | None:
    """Wait for a slot, then use its cores and GPUs only, or those that a scheduler has chosen."""
    import torch

    torch.set_num_threads(spec.threads)
    if not spec.slots:
        return None
    share = slots.Share(spec.threads * spec.devices, spec.devices, spec.gpu_share)
    gpus = () if spec.gpus else capacity.visible_gpus()
    folder = Path(spec.slots_dir)
    slot = slots.take_slot(folder, spec.slots, share, gpus, waiting=wish.raise_if_set)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, slots.pinned(slot.number, share, capacity.usable_cores()))
    if chosen := spec.gpus or share.gpus(slot.number, gpus):
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(chosen)
    return slot


def training_of(spec: TrialSpec) -> Training:
    """How the trial's kind of model is trained."""
    if not spec.config.model.capabilities.epochs:
        from tasks.train.trial.fit_estimator import estimate

        return estimate
    return fit.fit if spec.devices == 1 else elastic.fit_on_devices


def attempt(
    spec: TrialSpec, folder: TrialFolder, reporter: Reporter, wish: StopFlag
) -> Result | None:
    """Train, and make whatever is raised a result with a cause."""
    started = time.monotonic()
    try:
        result = training_of(spec)(spec, folder, reporter, wish)
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        result = failure(error, spec, folder)
    if result is None:
        return None
    used = {"seconds": time.monotonic() - started, "threads": spec.threads}
    return result.model_copy(update=used)
