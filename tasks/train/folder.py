"""A trial's folder: its files, its curve and its progress."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from conf.runtime.atomic_write import write_atomically, write_durably
from conf.runtime.errors import DenseError
from tasks.train.spec import RESULT, SPEC, Document, FileFact


class MetricLine(Document):
    """One finished epoch in `metrics.jsonl`."""

    epoch: int = Field(ge=1)
    """Number of finished epochs, from 1."""
    step: int = Field(ge=0)
    """Optimiser steps so far."""
    time: float
    """Seconds since 1970 at the epoch's end."""
    seconds: float = Field(ge=0)
    """Seconds that the epoch took, validation included."""
    attempt: int = Field(ge=1)
    """The attempt that trained it."""
    metrics: dict[str, float]
    """`train/loss`, `val/<name>`..., by name."""
    system: dict[str, float] = Field(default_factory=dict)
    """What the epoch took of the machine, by name; empty for short epochs."""


class TrialProgress(Document):
    """How far a running attempt is, in `progress.json`; for displays only.

    The file is replaced at most once a second while epochs are trained, and removed at the
    attempt's end. An attempt that is killed leaves it behind: compare `attempt`. A model that is
    fitted in one step (forest, boosting, SVM) writes none.
    """

    attempt: int = Field(ge=1)
    """The attempt that wrote it."""
    first_epoch: int = Field(ge=1)
    """Epoch with which the attempt began: later than 1 after a checkpoint."""
    epoch: int = Field(ge=1)
    """Epoch in training, from 1."""
    epochs: int = Field(ge=1)
    """Epoch at which the attempt ends: of its rung, or the trial's last."""
    step: int = Field(ge=0)
    """Training batches finished in this epoch."""
    steps: int = Field(ge=1)
    """Training batches of an epoch."""
    seconds: float = Field(ge=0)
    """Seconds since the attempt's first batch."""

    @property
    def fraction(self) -> float:
        """Share of the attempt's batches that are finished, from 0 to 1."""
        finished = (self.epoch - self.first_epoch) * self.steps + self.step
        return min(finished / ((self.epochs - self.first_epoch + 1) * self.steps), 1.0)

    @property
    def seconds_left(self) -> float | None:
        """Estimate of the seconds until the attempt ends; None before its first batch."""
        fraction = self.fraction
        return self.seconds * (1.0 - fraction) / fraction if fraction else None


@dataclass(frozen=True)
class TrialFolder:
    """Paths in a trial's folder, which need not exist yet."""

    path: Path

    @property
    def spec(self) -> Path:
        """What the trial is told."""
        return self.path / SPEC

    @property
    def metrics(self) -> Path:
        """A line an epoch."""
        return self.path / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        """State to continue from, while the trial lives or is paused."""
        return self.path / "checkpoints"

    @property
    def weights(self) -> Path:
        """Weights of the best (or last) epoch, after the end."""
        return self.checkpoints / "weights.safetensors"

    @property
    def estimator(self) -> Path:
        """What was learnt where that is no network's weights, after the end."""
        return self.checkpoints / "model.skops"

    @property
    def learnt(self) -> Path:
        """Weights or estimator, whichever there is."""
        return self.estimator if self.estimator.exists() else self.weights

    @property
    def predictions(self) -> Path:
        """What the saved epoch said about each validation row."""
        return self.path / "predictions.parquet"

    @property
    def log(self) -> Path:
        """What the trial and its libraries printed."""
        return self.path / "log.txt"

    @property
    def lock(self) -> Path:
        """Held by the trial's process while it lives."""
        return self.path / "lock"

    @property
    def result(self) -> Path:
        """What the last attempt that came to an end achieved."""
        return self.path / RESULT

    @property
    def evaluation(self) -> Path:
        """Metrics with intervals, computed from the predictions."""
        return self.path / "evaluation.json"

    @property
    def progress(self) -> Path:
        """`TrialProgress` of the running attempt."""
        return self.path / "progress.json"

    def read_progress(self, attempt: int) -> TrialProgress | None:
        """The progress of an attempt; None if it has not written any."""
        try:
            progress = TrialProgress.model_validate_json(self.progress.read_bytes())
        except (OSError, ValidationError):
            return None
        return progress if progress.attempt == attempt else None

    def write_progress(self, progress: TrialProgress) -> None:
        """Replace `progress.json`."""
        write_durably(self.progress, progress.model_dump_json().encode(), sync="none")

    def read_metrics(self) -> list[MetricLine]:
        """The curve so far; a torn last line is left out.

        Raises:
            DenseError: a line other than the last cannot be read.
        """
        try:
            content = self.metrics.read_bytes()
        except FileNotFoundError:
            return []
        return parse_lines(content, self.metrics)[0]

    def finished_epochs(self) -> int:
        """Epochs that have a line; 0 where the lines cannot be read (the next attempt mends them
        from its checkpoint)."""
        try:
            return max((line.epoch for line in self.read_metrics()), default=0)
        except (OSError, DenseError):
            return 0


def parse_lines(content: bytes, path: Path) -> tuple[list[MetricLine], bool]:
    """Metric lines of a file's content, and whether a torn end was left out.

    Raises:
        DenseError: a line that was written whole cannot be read.
    """
    *whole, tail = content.split(b"\n")
    lines = []
    for number, text in enumerate(whole, start=1):
        try:
            lines.append(MetricLine.model_validate_json(text))
        except ValidationError as error:
            raise DenseError(
                f"{path}:{number}: this is no metric line ({error.error_count()} problems); "
                "remove the trial's folder to train it again"
            ) from error
    return lines, bool(tail)


def merge_lines(on_disk: Sequence[MetricLine], saved: Iterable[MetricLine]) -> list[MetricLine]:
    """One line an epoch: the one on disk where there is one, else the checkpoint's."""
    by_epoch = {line.epoch: line for line in saved}
    for line in reversed(on_disk):  # of two lines of an epoch, the first stays
        by_epoch[line.epoch] = line
    return [by_epoch[epoch] for epoch in sorted(by_epoch)]


def mend_metrics(folder: TrialFolder, saved: Sequence[MetricLine]) -> str:
    """Cut a torn tail of `metrics.jsonl` and add lines that only the checkpoint has.

    A file in which a line cannot be read is written anew from the checkpoint.

    Returns:
        What was mended; "" if nothing.
    """
    content = folder.metrics.read_bytes() if folder.metrics.exists() else b""
    mended = ""
    try:
        on_disk, torn = parse_lines(content, folder.metrics)
        if torn:
            mended = "a torn last metric line was cut"
    except DenseError:
        on_disk, mended = [], "unreadable metric lines were written anew from the checkpoint"
    lines = merge_lines(on_disk, saved)
    if not mended and len(lines) > len(on_disk):
        mended = "a metric line was written again from the checkpoint"
    if mended:
        write_atomically(folder.metrics, "".join(as_text(line) for line in lines))
    return mended


def as_text(line: MetricLine) -> str:
    """A line of `metrics.jsonl`."""
    return line.model_dump_json() + "\n"


def append_line(folder: TrialFolder, line: MetricLine) -> None:
    """Append a line in one write; the checkpoint carries it too, so no sync is needed."""
    handle = os.open(folder.metrics, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        text = as_text(line).encode()
        if os.write(handle, text) != len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder.metrics))
    finally:
        os.close(handle)


def file_fact(path: Path) -> FileFact:
    """Size and SHA-256 of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileFact(size=path.stat().st_size, sha256=digest)
