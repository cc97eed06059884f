"""A trial of a scikit-learn estimator: one epoch, under the contract of every other trial."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from conf.loading.digests import derived_seed
from conf.runtime.atomic_write import write_durably
from conf.runtime.errors import BadInput
from conf.runtime.types import Ints
from conf.schema.model import check_data_kind
from data.card import DataCard
from data.loading.datamodule import StudyData
from models.estimators.build import build_estimator, numbers, probabilities
from models.estimators.skops_io import as_bytes
from tasks.train.engine.protocol import Reporter
from tasks.train.folder import MetricLine, TrialFolder, as_text, file_fact
from tasks.train.spec import Result, TrialSpec
from tasks.train.trial import resource_usage
from tasks.train.trial.fit import save_predictions
from tasks.train.trial.progress import Outputs, score


@dataclass(frozen=True)
class EstimatorRows:
    """Rows as an estimator takes them: `ids` and `targets` (n,), of several labels a row (n,
    labels); `x` float32 (n, features), scaled, or texts (n,)."""

    ids: Ints
    x: NDArray[Any]
    targets: NDArray[Any]

    @classmethod
    def of(cls, batches: Any, reporter: Reporter) -> EstimatorRows:
        """All rows of a loader, in its order."""
        found = []
        for batch in batches:
            reporter.beat()
            texts = batch.get("text")
            x = batch["x"].numpy() if texts is None else np.array(texts, dtype=object)
            found.append((batch["id"].numpy(), x, batch["y"].numpy()))
        return cls(*map(np.concatenate, zip(*found, strict=True)))


def estimate(
    spec: TrialSpec,
    folder: TrialFolder,
    reporter: Reporter,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Result | None:
    """Train an estimator on the rows of a first epoch, each as `augment` changes it, score it, and
    save what counts.

    A function of the specification alone; an attempt that was interrupted begins again.

    Raises:
        BadInput: it cannot learn from what the data are made of.
        DenseError: the training rows have too little of a class or label.
        NotFinite: it predicts no numbers.
    """
    started = time.monotonic()
    settings = spec.config.model
    card = DataCard.read(Path(spec.card))
    kind = card.inputs.kind
    check_data_kind(settings.kind, kind)
    if spec.config.augment.mixup is not None:
        raise BadInput(
            "augment.mixup: scikit-learn's estimators cannot learn from blended labels; leave it "
            "out"
        )
    whole = spec.config.train.model_copy(update={"steps_per_epoch": None})
    data = StudyData(
        spec.config.model_copy(update={"train": whole}),
        card,
        Path(spec.train),
        None if spec.validation is None else Path(spec.validation),
        spec.seed,
        also=[Path(part) for part in spec.also],
    )
    rows = EstimatorRows.of(data.train_dataloader(), reporter)
    seed = derived_seed(spec.seed, "model")
    estimator = build_estimator(
        settings,
        seed,
        spec.threads,
        rows.targets,
        texts=kind == "text",
        balanced=whole.class_weights == "balanced",
    )
    with threadpool_limits(1, "blas"):  # the order of sums, and so the last bit, depends on them
        estimator.fit(rows.x, rows.targets)
    if is_stopped():
        return None
    held = data.val_dataloader()
    outputs = said(estimator, EstimatorRows.of(held, reporter), len(card.classes)) if held else None
    scores = score(outputs, spec.config.evaluate) if outputs else {}
    line = MetricLine(
        epoch=1,
        step=1,
        time=time.time(),
        seconds=time.monotonic() - started,
        attempt=spec.attempt,
        metrics={f"val/{name}": value for name, value in scores.items()},
    )
    return _saved(spec, folder, estimator, outputs, line)


def said(estimator: Any, rows: EstimatorRows, classes: int) -> Outputs:
    """What a trained estimator says of rows, as a network's validation step would answer; without
    classes it says numbers."""
    both = {"id": torch.from_numpy(rows.ids), "target": torch.from_numpy(rows.targets)}
    if not classes:
        said = np.asarray(estimator.predict(rows.x), dtype=np.float32)
        return {**both, "prediction": torch.from_numpy(said)}
    said = probabilities(estimator, rows.x, classes)
    return {**both, "probabilities": torch.from_numpy(said)}


def _saved(
    spec: TrialSpec,
    folder: TrialFolder,
    estimator: Any,
    outputs: Outputs | None,
    line: MetricLine,
) -> Result:
    folder.checkpoints.mkdir(parents=True, exist_ok=True)
    write_durably(folder.estimator, as_bytes(estimator))
    written = [folder.estimator]
    if outputs is not None:
        save_predictions(folder.predictions, outputs)
        written.append(folder.predictions)
    # One line, whatever an attempt before has left.
    write_durably(folder.metrics, as_text(line).encode())
    size = numbers(estimator)
    return Result(
        outcome="complete",
        attempt=spec.attempt,
        until=spec.until,
        epochs=1,
        best_epoch=1,
        value=line.metrics.get(f"val/{spec.config.evaluate.objective}"),
        params_total=size,
        params_trainable=size,
        peak_memory=resource_usage.peak_memory(),
        files={str(path.relative_to(folder.path)): file_fact(path) for path in written},
    )
