"""The chain inside prepare: read, clean, label, split, check, fit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from conf.runtime.types import Floats
from conf.schema.data import CategoricalColumns, HubData, ImagesData
from conf.schema.study import Study
from data.card import DataCard, ImageInputs, Inputs, TableInputs
from data.sources import Source
from data.sources.decode import PIXELS, PixelScale
from data.sources.rows import Report, Rows
from tasks.prepare import fitted_cleaning
from tasks.prepare.check_kind import check_kind
from tasks.prepare.cleaning.labels import (
    auxiliary_target_values,
    check_left,
    check_trained,
    target_values,
)
from tasks.prepare.cleaning.privacy import anonymity
from tasks.prepare.cleaning.rules import clean_rows
from tasks.prepare.encoding import bpe, fit
from tasks.prepare.encoding.categories import as_inputs
from tasks.prepare.splitting.leakage import refuse_leaks
from tasks.prepare.splitting.multilabel import check_trained_labels, label_matrix, strata
from tasks.prepare.splitting.split import TRAIN, Splits, divide
from tasks.prepare.store.card import data_card


@dataclass(frozen=True)
class Built:
    """The prepared data as it is written: rows, targets, splits and the card."""

    rows: Rows
    labels: npt.NDArray[Any]
    """Classes, int64 of shape (rows,); labels, int8 of shape (rows, labels); or numbers to predict,
    float64 of shape (rows,)."""
    splits: Splits
    classes: tuple[str, ...]
    card: DataCard
    tokenizer: str | None = None
    """The tokenizer of texts, as JSON."""


def build(study: Study, source: Source, seed: int, scratch: Path) -> Built:
    """Read and prepare; only what is large is written, into the folder `scratch`.

    Raises:
        BadInput: no usable data comes out.
    """
    raw = source.read(scratch)
    check_kind(study, raw.kind)
    several = study.data.task == "multilabel"
    # Of several labels a row a rare one is left out, not its rows.
    clean = study.clean.model_copy(update={"class_floor": 1}) if several else study.clean
    rows, reports = clean_rows(raw, clean)
    check_left(rows, reports)
    labels: npt.NDArray[Any]
    if several:
        classes, labels, report = label_matrix(rows, study.clean.class_floor)
        kinds, reports = strata(labels), [*reports, report]
    else:
        classes, labels = target_values(rows, study.data.task)
        kinds = labels
    splits, folds = divide(rows, kinds, study.split, seed)
    check: Any = check_trained_labels if several else check_trained
    check(labels, splits == TRAIN, classes)
    auxiliary = None
    if second := getattr(study.data, "second", None):
        names, values = auxiliary_target_values(rows, second.task)
        check_trained(values, splits == TRAIN, names)
        auxiliary = (second.name, names)
        rows = rows.put("second", pa.array(values))
    if folds is not None:
        rows = rows.put("fold", pa.array(folds))
    leakage = refuse_leaks(rows, splits, study)
    privacy = anonymity(rows, study.clean.privacy.anonymity if study.clean.privacy else ())
    rows, splits, more, filling = _fitted(study, rows, splits, kinds, seed)
    kept = splits >= 0
    rows, labels, splits = rows.keep(kept), labels[kept], splits[kept]
    rows, inputs, tokenizer = _inputs(study, rows, splits, filling)
    card = data_card(
        study,
        source.facts,
        len(raw) if raw.read is None else raw.read,
        rows,
        labels,
        splits,
        classes,
        rules=[*reports, *more],
        leakage=leakage,
        anonymity=privacy,
        inputs=inputs,
        second=auxiliary,
        left_out=raw.left_out,
    )
    return Built(rows, labels, splits, classes, card, tokenizer)


def _fitted(
    study: Study, rows: Rows, splits: Splits, labels: npt.NDArray[Any], seed: int
) -> tuple[Rows, Splits, list[Report], Floats | None]:
    """Apply the cleaning rules that are fitted on the training split, in order."""
    reports = []
    if rows.specs:
        rules: CategoricalColumns = getattr(study.data, "words", CategoricalColumns())
        rows = as_inputs(rows, splits == TRAIN, rules)
    filling = fitted_cleaning.fill_values(rows, splits, study.clean)
    if filling is not None and study.clean.missing != "keep":
        rows, report = fitted_cleaning.fill(rows, filling)
        reports.append(report)
    kinds = labels if labels.dtype.kind == "i" else np.zeros(len(rows), dtype=np.int64)
    splits, report = fitted_cleaning.drop_outliers(rows, splits, kinds, study.clean, seed)
    reports.append(report)
    splits, report = fitted_cleaning.find_suspects(rows, splits, labels, study.clean, seed)
    return rows, splits, [*reports, report], filling


def _inputs(
    study: Study, rows: Rows, splits: Splits, filling: Floats | None
) -> tuple[Rows, Inputs, str | None]:
    """`inputs` of the card; texts get their tokens."""
    train = rows.keep(splits == TRAIN)
    if rows.kind in ("image", "table"):
        missing = getattr(study.data, "missing", ())
        inputs: ImageInputs | TableInputs = fit.inputs(train, study.clean, filling, missing)
        if isinstance(inputs, ImageInputs):
            data = study.data
            scale = PixelScale.of(data) if isinstance(data, ImagesData | HubData) else PIXELS
            inputs = inputs.model_copy(update=asdict(scale))
        return rows, inputs, None
    tokenizer = bpe.trained(train, study.clean.text)
    rows = bpe.encoded(rows, tokenizer)
    return rows, bpe.inputs(rows, tokenizer, study.clean.text), tokenizer.to_str()
