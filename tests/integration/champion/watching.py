"""Rows for a champion to watch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from mlflow import MlflowClient
from PIL import Image

from conf.schema.champion import Monitor
from tasks.monitor.runs import MonitorRun, NoNewRows
from tasks.monitor.watch import watch
from tasks.packaging.raw_rows import read_rows
from tasks.prepare import test_path
from tests.integration.champion.conftest import Scored


def fresh(scored: Scored, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows that neither the champion nor its reference has seen."""
    rows = read_rows(test_path(scored.prepared), scored.prepared.card.inputs)
    some = np.random.default_rng(0).permutation(len(rows.ids))[:count]  # they lie by writer
    return rows.values[some], rows.targets[some]


def looked(
    client: MlflowClient, scored: Scored, place: Path, second: int = 0
) -> MonitorRun | NoNewRows:
    """A look at a place."""
    time = 1_795_305_600.0 + second
    return watch(client, scored.home, "digits", place, Monitor(), time=time)


def save(folder: Path, values: np.ndarray, labels: np.ndarray, prefix: str = "") -> None:
    """Write images, a folder a class."""
    for number, (pixels, label) in enumerate(zip(values, labels, strict=True)):
        inner = folder / str(label)
        inner.mkdir(parents=True, exist_ok=True)
        grey = Image.fromarray((pixels * (255 / 16)).round().astype("uint8"))
        grey.save(inner / f"{prefix}{number}.png")
