"""What a trial adds to Lightning's loop: seeding, the curve, checkpoints, and when to stop."""

from __future__ import annotations

import contextlib
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from conf.loading.digests import derived_seed
from conf.runtime.atomic_write import Background
from models.modules.base import TrainableModule
from models.optimizers import ReducibleSchedule, plateau_reduction
from tasks.train.engine.failures import NotFinite
from tasks.train.engine.protocol import Reporter
from tasks.train.folder import MetricLine, TrialFolder, TrialProgress, append_line
from tasks.train.spec import TrialSpec
from tasks.train.trial.accumulation import piece_at
from tasks.train.trial.checkpoints import PROGRESS, checkpoint_path, prune
from tasks.train.trial.fsdp import whole
from tasks.train.trial.progress import Outputs, Progress, is_better, is_out_of_patience, join, score
from tasks.train.trial.resource_usage import Meter

TRAIN_LOSS = "train/loss"
DIVERGED = 1e4
"""A loss so many times its first value, and above 1e4 at that, has diverged."""
CHECK_EVERY = 16
"""On a device, batches between two looks at the loss: each waits for the device."""
PROGRESS_SECONDS = 1.0
SAVE_SECONDS = 1.0
"""Epochs that end sooner after the last checkpoint have none of their own."""


def seed_everything(*parts: object) -> None:
    """Seed every generator a model may draw from, from these parts alone."""
    seed = derived_seed(*parts)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    # Not torch.manual_seed: where no device is in use it notes the call, with its stack, for later.
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)


class EpochSeed(pl.Callback):
    """Makes the randomness of an epoch a function of (trial seed, epoch)."""

    def __init__(self, seed: int, rank: int = 0) -> None:
        self._parts = (seed, "epoch") if rank == 0 else (seed, "rank", rank, "epoch")

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Reseed; also the first epoch, so that it does not depend on how the model was built."""
        seed_everything(*self._parts, trainer.current_epoch)


class Guard(pl.Callback):
    """Follows the loss: ends a trial whose loss is no number or has run away, and averages it over
    the epoch. Tells that the trial lives."""

    def __init__(self, reporter: Reporter) -> None:
        self.mean = math.nan
        """Mean training loss of the last whole epoch, by row."""
        self._reporter = reporter
        self._first: float | None = None
        self._seen: list[tuple[Tensor, float]] = []
        self._sum = 0.0
        self._rows = 0
        self._share = 0.0

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Tell the model what the micro-batch weighs."""
        piece = piece_at(trainer.train_dataloader, batch_idx)
        self._share = len(batch["id"]) if piece is None else piece.share
        self._rows += len(batch["id"]) if piece is None else piece.size
        if piece is not None:
            assert isinstance(pl_module, TrainableModule)
            pl_module.loss_weight = piece.weight

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Look at the loss: of each batch on the CPU, now and then on a device."""
        self._reporter.beat()
        self._seen.append((outputs["loss"], self._share))
        if outputs["loss"].device.type == "cpu" or len(self._seen) >= CHECK_EVERY:
            self._check()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Average anew."""
        self._sum, self._rows = 0.0, 0

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at what is left."""
        self._check()
        sums = torch.tensor([self._sum, self._rows], device=trainer.strategy.root_device)
        total, rows = trainer.strategy.reduce(sums, reduce_op="sum").tolist()
        self.mean = total / rows

    def on_validation_batch_end(self, *_: Any, **__: Any) -> None:
        """Validation is life too."""
        self._reporter.beat()

    def _check(self) -> None:
        seen, self._seen = [(float(loss), share) for loss, share in self._seen], []
        for loss, share in seen:
            self._sum += loss * share
            if not math.isfinite(loss):
                raise NotFinite(f"the training loss is {loss}")
            if self._first is None:
                self._first = loss
            elif abs(loss) > DIVERGED * max(abs(self._first), 1.0):
                raise NotFinite(f"the training loss rose from {self._first:.3g} to {loss:.3g}")


class ProgressWriter(pl.Callback):
    """Writes `progress.json`, at most once in `PROGRESS_SECONDS`."""

    def __init__(self, spec: TrialSpec, folder: TrialFolder) -> None:
        self._spec = spec
        self._folder = folder
        self._first_epoch = 1
        self._started = 0.0
        self._written = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._first_epoch = trainer.current_epoch + 1
        self._started = time.monotonic()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Write, if the last time is long enough ago."""
        now = time.monotonic()
        if now - self._written < PROGRESS_SECONDS:
            return
        self._written = now
        progress = TrialProgress(
            attempt=self._spec.attempt,
            first_epoch=self._first_epoch,
            epoch=trainer.current_epoch + 1,
            epochs=self._spec.until,
            step=batch_idx + 1,
            steps=int(trainer.num_training_batches),
            seconds=now - self._started,
        )
        with contextlib.suppress(OSError):  # a display is not worth a trial
            self._folder.write_progress(progress)


class Curve(pl.Callback):
    """Scores each epoch, and keeps the best one's predictions and weights."""

    def __init__(self, spec: TrialSpec, progress: Progress, guard: Guard) -> None:
        self.progress = progress
        self._guard = guard
        self._spec = spec
        self._batches: list[Outputs] = []
        self._scores: dict[str, float] = {}
        self._outputs: Outputs | None = None
        self._started = 0.0
        self._meter = Meter()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The epoch's clock starts."""
        self._started = time.monotonic()
        self._meter = Meter()
        self._scores, self._outputs = {}, None

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Collect anew."""
        self._batches = []

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Collect what the model said."""
        self._batches.append(outputs)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Score it."""
        self._outputs = join(self._batches)
        self._scores = score(self._outputs, self._spec.config.evaluate)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add the epoch's line, and keep the epoch if it is the best."""
        epoch = trainer.current_epoch + 1
        line = self._line(trainer, epoch)
        self.progress = replace(self.progress, lines=(*self.progress.lines, line))
        value = self._scores.get(self._spec.config.evaluate.objective)
        # One answer for all devices: weights that are divided are put together by all of them.
        if trainer.strategy.broadcast(self._is_kept(value)):
            self.progress = replace(
                self.progress,
                best_epoch=epoch,
                best_value=value,
                outputs=self._outputs,
                weights=copy_weights(pl_module),
            )

    def _is_kept(self, value: float | None) -> bool:
        if self._spec.keep == "last" or value is None:
            return True
        direction = self._spec.config.evaluate.direction
        return is_better(value, self.progress.best_value, direction)

    def _line(self, trainer: pl.Trainer, epoch: int) -> MetricLine:
        logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
        scores = {f"val/{name}": value for name, value in self._scores.items()}
        metrics = logged | scores | {TRAIN_LOSS: self._guard.mean}
        return MetricLine(
            epoch=epoch,
            step=trainer.global_step,
            time=time.time(),
            seconds=time.monotonic() - self._started,
            attempt=self._spec.attempt,
            metrics=metrics,
            system=self._meter.read(),
        )

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Put the progress into the checkpoint; weights that are the best and the present once."""
        state = self.progress.to_state()
        averaged = getattr(pl_module, "average", None) is not None
        if self.progress.best_epoch == self.progress.epochs and not averaged:
            state["weights"] = {
                name: tensor
                for name, tensor in checkpoint["state_dict"].items()
                if name in (self.progress.weights or {})
            }
        checkpoint[PROGRESS] = state


class Plateau(pl.Callback):
    """Lowers the learning rate where the loss no longer falls: a function of the epochs' losses,
    which the checkpoint has, so that a resumed training has the rate of one that was not."""

    def __init__(self, curve: Curve) -> None:
        self._curve = curve

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look back."""
        losses = [line.metrics[TRAIN_LOSS] for line in self._curve.progress.lines]
        for config in trainer.lr_scheduler_configs:
            assert isinstance(config.scheduler, ReducibleSchedule)
            config.scheduler.reduction = plateau_reduction(losses)


class Saver(pl.Callback):
    """At the end of an epoch: first the checkpoint, then the metric lines; then whether to go on.

    A checkpoint costs milliseconds: of epochs that are over in less than a second some have none,
    and a trial that is killed loses an epoch or a second, whichever is more. The attempt's last
    epoch always has one. The callback stands last in the list, so that the checkpoint holds what
    the others did.
    """

    def __init__(
        self,
        spec: TrialSpec,
        folder: TrialFolder,
        curve: Curve,
        written: set[int] | None,
        background: Background,
        is_stopped: Callable[[], bool],
    ) -> None:
        """`written` are the epochs that have a line on disk, None where another process writes;
        `is_stopped` is a user's wish.

        The disk is waited for while the next epoch trains: at most one checkpoint is not on it yet.
        """
        self._spec = spec
        self._folder = folder
        self._curve = curve
        self._written = written
        self._background = background
        self._is_stopped = is_stopped
        self._saved = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save, write, decide."""
        over = is_over(self._spec, self._curve.progress) or self._is_stopped()
        due = time.monotonic() - self._saved >= SAVE_SECONDS
        over, due = trainer.strategy.broadcast((over, due))
        if over or due:
            self._save(trainer)
        trainer.should_stop = over

    def _save(self, trainer: pl.Trainer) -> None:
        self._background.flush()
        epochs = self._curve.progress.epochs
        trainer.save_checkpoint(checkpoint_path(self._folder.checkpoints, epochs))
        lines = self._curve.progress.lines
        self._background.submit(lambda: self._after_checkpoint(lines))
        self._saved = time.monotonic()

    def _after_checkpoint(self, lines: Sequence[MetricLine]) -> None:
        if self._written is not None:
            prune(self._folder.checkpoints)
        self._write(lines)

    def write_rest(self) -> None:
        """Write the lines that wait for a checkpoint which does not come: the training failed."""
        self._write(self._curve.progress.lines)

    def _write(self, lines: Sequence[MetricLine]) -> None:
        if (written := self._written) is None:
            return
        for line in lines:
            if line.epoch not in written:
                append_line(self._folder, line)
                written.add(line.epoch)


def is_over(spec: TrialSpec, progress: Progress) -> bool:
    """Whether this attempt has reached its end."""
    patience = None if spec.keep == "last" else spec.config.train.patience
    return progress.epochs >= spec.until or is_out_of_patience(progress, patience)


def copy_weights(module: pl.LightningModule) -> dict[str, Tensor]:
    """The weights and buffers that the module predicts with as they are now, on the CPU."""
    state = getattr(module, "inference_state", module.state_dict)()
    return {
        name: whole(tensor.detach()).to("cpu", copy=True).contiguous()
        for name, tensor in state.items()
    }
