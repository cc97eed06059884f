"""One attempt at a trial: from its specification to its result, with Lightning."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

import models
from conf.runtime.atomic_write import Background, at_once, write_durably
from conf.runtime.errors import BadInput
from data.card import DataCard
from data.loading.datamodule import StudyData
from models.modules.base import TrainableModule
from models.modules.predictor import PredictorModule
from tasks.train.engine.protocol import Reporter
from tasks.train.folder import TrialFolder, file_fact, mend_metrics
from tasks.train.spec import FileFact, Result, TrialSpec
from tasks.train.trial import lightning_patches, resource_usage
from tasks.train.trial import progress as trial_progress
from tasks.train.trial.accumulation import Division, divided
from tasks.train.trial.callbacks import (
    Curve,
    EpochSeed,
    Guard,
    Plateau,
    ProgressWriter,
    Saver,
    is_over,
    seed_everything,
)
from tasks.train.trial.checkpoints import DurableCheckpointIO, Restored, prune, restore
from tasks.train.trial.distillation import Distillation
from tasks.train.trial.fsdp import Divided, strategy_of
from tasks.train.trial.latency import latency_ms
from tasks.train.trial.progress import Progress
from tasks.train.trial.pruning import WeightMasks

PRECISIONS: dict[str, Any] = {
    "float32": "32-true",
    "bfloat16": "bf16-mixed",
    "float16": "16-mixed",
}


def fit(
    spec: TrialSpec,
    folder: TrialFolder,
    reporter: Reporter,
    is_stopped: Callable[[], bool] = lambda: False,
    *,
    rank: int = 0,
) -> Result | None:
    """Train to `spec.until` from wherever the folder's checkpoints stand, and save what counts.

    Of several processes that train together only the one of rank 0 writes into the folder.

    Returns:
        What was reached, or None when the user's wish to stop came first, or for another rank.

    Raises:
        NotFinite: the loss is no number or has run away.
        Exception: whatever the model, the data or the machine raise.
    """
    quiet()
    folder.checkpoints.mkdir(parents=True, exist_ok=True)
    restored = restore(folder.checkpoints)
    notes = mend(folder, restored) if rank == 0 else ()
    card = DataCard.read(Path(spec.card))
    module, data = build(spec, card, rank)
    begun: list[pl.Callback] = []
    if spec.begin:
        begun.append(WeightMasks.begin(module, Path(spec.begin), spec.sparsity))
    if spec.teacher:
        assert isinstance(module, PredictorModule)  # models that generate text are not distilled
        begun.append(Distillation.by(Path(spec.teacher), module, spec, card))
    reached, background = restored.progress, Background()
    if not is_over(spec, reached):
        loop = Loop(spec, folder, reporter, background, is_stopped, rank, begun)
        reached = loop.run(restored, module, data)
    if rank != 0 or not is_over(spec, reached):
        background.flush()
        return None
    files = save(spec, folder, reached, background)
    result = result_of(spec, reached, module, files, notes)
    if isinstance(module, Divided):  # its parts wait for other processes
        module, _ = build(spec, card, rank)
    latency = latency_ms(module, data) if result.outcome == "complete" else None
    return result.model_copy(update={"latency_ms": latency})


def quiet() -> None:
    """Keep Lightning's hints out of the log; warnings of models and errors stay."""
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch"):
        if (logger := logging.getLogger(name)).level != logging.ERROR:  # all loggers forget then
            logger.setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning_fabric)\b.*")


def mend(folder: TrialFolder, restored: Restored) -> tuple[str, ...]:
    """Mend the lines on disk to go with the restored state; what was mended, for the record."""
    mended = mend_metrics(folder, restored.progress.lines)
    notes = restored.warnings
    if notes:
        notes = (*notes, f"continued from epoch {restored.progress.epochs}")
    return (*notes, mended) if mended else notes


def build(spec: TrialSpec, card: DataCard, rank: int) -> tuple[TrainableModule, TrialData]:
    """Model and data of a trial, before any training."""
    data = TrialData(
        spec.config,
        card,
        Path(spec.train),
        None if spec.validation is None else Path(spec.validation),
        spec.seed,
        spec.workers,
        also=[Path(part) for part in spec.also],
        features=models.frozen_features(spec.config, card, spec.parts),
    )
    data.division = Division.of(spec.config.train, spec.devices, spec.halvings, rank)
    steps = -(-data.train_rows // spec.config.train.batch_size)
    seed_everything(spec.seed, "model")
    module = models.build(
        spec.config, card, steps * spec.config.train.epochs, Path(spec.train).parent
    )
    return module, data


class TrialData(StudyData):
    """A study's data, its training batches divided as the trial's devices and memory demand."""

    division = Division()

    def train_dataloader(self) -> DataLoader[Any]:
        """This process's micro-batches."""
        whole = super().train_dataloader()
        alone = self.division.passes == self.division.devices == 1
        return whole if alone else divided(whole, self.division)


@dataclass(frozen=True)
class Loop:
    """Lightning's loop around a model, with the trial's own callbacks."""

    spec: TrialSpec
    folder: TrialFolder
    reporter: Reporter
    background: Background
    is_stopped: Callable[[], bool]
    rank: int = 0
    begun: Sequence[pl.Callback] = ()
    """What goes with the weights that it began from, or with its teacher."""

    def run(self, restored: Restored, module: pl.LightningModule, data: TrialData) -> Progress:
        """Train from the restored state, and return the progress made.

        The last epoch's files may still be on their way to the disk.
        """
        guard = Guard(self.reporter)
        curve = Curve(self.spec, restored.progress, guard)
        written = None
        if self.rank == 0:
            written = {line.epoch for line in self.folder.read_metrics()}
        saver = Saver(self.spec, self.folder, curve, written, self.background, self.is_stopped)
        callbacks = [EpochSeed(self.spec.seed, self.rank), *self.begun, guard, curve, saver]
        if self.rank == 0:
            callbacks.insert(0, ProgressWriter(self.spec, self.folder))
        if self.spec.config.train.schedule == "plateau":
            callbacks.insert(0, Plateau(curve))
        checkpoints = DurableCheckpointIO(restored, self.background)
        lightning_patches.install()
        strategy = strategy_of(self.spec, module)
        passes = data.division.passes
        trainer = build_trainer(self.spec, callbacks, checkpoints, passes, strategy)
        try:
            trainer.fit(module, datamodule=data, ckpt_path=restored.path)
        except BaseException:
            with contextlib.suppress(Exception):  # what ended the training is what is told
                self.background.flush()
                saver.write_rest()
            raise
        return curve.progress


def build_trainer(
    spec: TrialSpec,
    callbacks: list[pl.Callback],
    checkpoints: DurableCheckpointIO,
    passes: int = 1,
    strategy: Any = "auto",
) -> pl.Trainer:
    """A Trainer that does nothing but train: the trial writes its own record.

    Raises:
        BadInput: the number format is not the device's.
    """
    train, on_gpu = spec.config.train, torch.cuda.is_available()
    if train.precision == "float16" and not on_gpu:  # where Lightning would take another one
        raise BadInput("train.precision: float16 needs a GPU; use bfloat16 or float32")
    return pl.Trainer(
        max_epochs=train.epochs,
        accelerator="gpu" if on_gpu else "cpu",
        devices=spec.devices,
        strategy=strategy,
        precision=PRECISIONS[train.precision],
        accumulate_grad_batches=passes,
        gradient_clip_val=train.clip,
        callbacks=callbacks,
        plugins=[checkpoints],
        profiler=lightning_patches.NoProfiler(),
        logger=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        deterministic="warn" if on_gpu else None,
    )


def save(
    spec: TrialSpec, folder: TrialFolder, reached: Progress, background: Background
) -> dict[str, FileFact]:
    """Write predictions and, at the trial's end, weights; return what is vouched for."""
    writers: dict[Path, Callable[[], None]] = {}
    if (outputs := reached.outputs) is not None:
        writers[folder.predictions] = lambda: save_predictions(folder.predictions, outputs)
    if is_complete(spec, reached):
        writers[folder.weights] = lambda: save_weights(folder.weights, reached)
    at_once(background.flush, *writers.values())
    return {str(path.relative_to(folder.path)): file_fact(path) for path in writers}


def is_complete(spec: TrialSpec, reached: Progress) -> bool:
    """Whether the trial as a whole is over: at its last epoch, or out of patience before."""
    return reached.epochs >= spec.last_epoch or reached.epochs < spec.until


def result_of(
    spec: TrialSpec,
    reached: Progress,
    module: pl.LightningModule,
    files: dict[str, FileFact],
    notes: tuple[str, ...],
) -> Result:
    """The result of an attempt that reached its end."""
    # An average of the weights is no second network.
    held, total = resource_usage.gpu_held() or (None, None)
    parameters = [p for n, p in module.named_parameters() if not n.startswith("average.")]
    return Result(
        outcome="complete" if is_complete(spec, reached) else "paused",
        attempt=spec.attempt,
        until=spec.until,
        epochs=reached.epochs,
        best_epoch=reached.best_epoch,
        value=reached.best_value,
        params_total=sum(p.numel() for p in parameters),
        params_trainable=sum(p.numel() for p in parameters if p.requires_grad),
        peak_memory=resource_usage.peak_memory(),
        gpu_memory=resource_usage.gpu_memory(),
        gpu_held=held,
        gpu_total=total,
        files=files,
        warnings=notes,
    )


def save_predictions(path: Path, outputs: trial_progress.Outputs) -> None:
    """Write the best epoch's predictions as Parquet."""
    from tasks.evaluate.predictions import write

    write(path, trial_progress.said(outputs))


def save_weights(path: Path, reached: Progress) -> None:
    """Write the kept epoch's weights as safetensors."""
    from safetensors.torch import save as as_bytes

    weights = reached.weights
    if weights is None:
        raise ValueError("a trial without a finished epoch has no weights to save")
    write_durably(path, as_bytes(weights))


def remove_checkpoints(folder: TrialFolder) -> None:
    """Remove the state to continue from, once the result stands."""
    prune(folder.checkpoints, keep=0)
