"""How long a trained model takes for one row."""

from __future__ import annotations

import statistics
import time
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from data.loading.datamodule import StudyData

PASSES = 20
_WARM = 2


def latency_ms(module: pl.LightningModule, data: StudyData) -> float | None:
    """Milliseconds of one row's pass, the median of 20; None where no row is validated on.

    Where the model is now, which after its training is the CPU, on the threads of the trial. What
    training a trial further would give stays the same to the bit: nothing random is drawn.
    """
    batch = next(iter(data.val_dataloader()), None)
    if batch is None:
        return None
    row = {key: _one(value, module.device) for key, value in batch.items()}
    training = module.training
    module.eval()
    try:
        with torch.no_grad():
            return _median(module, row)
    finally:
        module.train(training)


def _median(module: pl.LightningModule, row: dict[str, Any]) -> float:
    seconds = []
    for _ in range(_WARM + PASSES):
        start = time.perf_counter()
        module.validation_step(row, 0)
        seconds.append(time.perf_counter() - start)
    return round(1_000.0 * statistics.median(seconds[_WARM:]), 4)


def _one(value: Any, device: torch.device) -> Any:
    """The first row of a column."""
    first = value[:1]
    return first.to(device) if isinstance(first, Tensor) else first
