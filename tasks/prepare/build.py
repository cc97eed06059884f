"""The chain inside prepare: read, clean, label, split, check, fit; then write what came out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from conf.study import Study
from data.rows import Report, Rows
from data.sources import Source
from tasks.prepare.card import card
from tasks.prepare.clean import clean_rows, content_hashes
from tasks.prepare.fit import inputs
from tasks.prepare.key import PREPARE_VERSION
from tasks.prepare.labels import PARTS, check_usable, class_names, encode
from tasks.prepare.leakage import refuse_leaks
from tasks.prepare.split import TRAIN, Parts, stratified

FOLDERS = {"train": "parts/train", "validation": "parts/validation", "test": "test"}


@dataclass(frozen=True)
class Built:
    """Everything that is written: rows, each row's class and part, and the card's facts."""

    rows: Rows
    labels: npt.NDArray[np.int64]
    parts: Parts
    classes: tuple[str, ...]
    card: dict[str, Any]


def build(study: Study, source: Source, seed: int) -> Built:
    """Read and prepare in memory; nothing is written.

    Raises:
        BadInput: no usable data comes out.
    """
    raw = source.read()
    rows, reports = clean_rows(raw, study.clean)
    classes = class_names(rows)
    labels = encode(rows, classes)
    check_usable(rows, classes, np.bincount(labels, minlength=len(classes)))
    parts = stratified(labels, study.split, seed)
    leakage = refuse_leaks(content_hashes(rows), parts)
    facts = _facts(study, source, raw, reports, leakage)
    facts["inputs"] = inputs(rows.keep(parts == TRAIN))
    return Built(rows, labels, parts, classes, card(facts, rows, labels, parts, classes))


def _facts(
    study: Study, source: Source, raw: Rows, reports: list[Report], leakage: dict[str, int]
) -> dict[str, Any]:
    return {
        "version": PREPARE_VERSION,
        "kind": raw.kind,
        "task": study.data.task,
        "source": {**study.data.model_dump(mode="json"), **source.facts},
        "read": len(raw),
        "rules": [report.as_json() for report in reports],
        "leakage": leakage,
    }


def write(built: Built, folder: Path, names: dict[str, str]) -> None:
    """Write the parts and the card into a folder that nobody else sees yet."""
    for number, part in enumerate(PARTS):
        chosen = built.parts == number
        table = _stored(built.rows.keep(chosen).table, built.labels[chosen])
        features = _features(table, built.classes)
        arrow = datasets.Dataset(
            table,
            info=datasets.DatasetInfo(features=features),
            # The library's own fingerprint is drawn at random; equal keys give equal bytes.
            fingerprint=f"{names['key']}-{part}",
        )
        arrow.save_to_disk(str(folder / FOLDERS[part]))
    (folder / "card.json").write_text(json.dumps({**names, **built.card}, indent=1))


def _stored(table: pa.Table, labels: npt.NDArray[np.int64]) -> pa.Table:
    """The table with its label as a number."""
    place = table.column_names.index("label")
    return table.set_column(place, "label", pa.array(labels))


def _features(table: pa.Table, classes: tuple[str, ...]) -> datasets.Features:
    features = datasets.Features.from_arrow_schema(table.schema)
    features["label"] = datasets.ClassLabel(names=list(classes))
    return features
