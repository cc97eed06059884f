"""Fill in the data set card: what was read, what each rule did, and what came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from conf.runtime.types import Floats, Ints
from conf.schema.split import Given, Split
from conf.schema.study import Study
from data.card import (
    Anonymity,
    AuxiliaryTargetCard,
    DataCard,
    Inputs,
    Leakage,
    RowCounts,
    RuleResult,
    TargetStatistics,
)
from data.sources.rows import Report, Rows
from tasks.prepare.cleaning.labels import SPLITS
from tasks.prepare.splitting.split import TRAIN, Splits
from tasks.prepare.store.key import PREPARE_VERSION

SMALL_SHARE = 0.01
"""Difference of a split's share of the rows that is not worth a word."""


def data_card(  # noqa: PLR0913  keyword options
    study: Study,
    source: Mapping[str, str],
    read: int,
    rows: Rows,
    labels: npt.NDArray[Any],
    splits: Splits,
    classes: tuple[str, ...],
    *,
    rules: Sequence[Report],
    leakage: Leakage,
    anonymity: Anonymity | None,
    inputs: Inputs,
    second: tuple[str, tuple[str, ...]] | None = None,
    left_out: Mapping[str, str] | None = None,
) -> DataCard:
    """The card of prepared rows, all but the data key.

    Args:
        study: whose data they are.
        source: place and licence of the source.
        read: number of rows in the source.
        rows: those that were kept.
        labels: int64[n] classes, int8[n, labels], or float64[n] numbers to predict.
        splits: split of each row.
        classes: names of the classes; empty where numbers or texts are predicted.
        rules: result of each cleaning rule, in order.
        leakage: contents in more than one split.
        anonymity: k-anonymity, where asked for.
        inputs: what a row looks like to a model.
        second: name and classes of the auxiliary target, where there is one.
        left_out: columns of the source that no model sees, and why.
    """
    removed = {report.rule: report.rows_in - report.rows_out for report in rules}
    return DataCard(
        version=PREPARE_VERSION,
        kind=rows.kind,
        task=study.data.task,
        source={**study.data.model_dump(mode="json"), **source},
        split=study.split.model_dump(mode="json"),
        rows=_row_counts(read, splits),
        rules=tuple(RuleResult.model_validate(report.as_json()) for report in rules),
        missing=removed.get("missing", 0),
        duplicates=removed.get("duplicates", 0),
        left_out=dict(left_out or {}),
        missed_shares=_missed_shares(study.split, splits),
        leakage=leakage,
        anonymity=anonymity,
        folds=_folds(rows),
        **_target(labels, splits, classes),
        **_auxiliary_target(rows, splits, second),
        shape=rows.shape,
        inputs=inputs,
    )


def _missed_shares(settings: Split, splits: Splits) -> dict[str, float]:
    """Share of the rows in each split less the share in the settings, where that is not small."""
    if isinstance(settings, Given) or getattr(settings, "folds", None) is not None:
        return {}
    rows = np.bincount(splits, minlength=len(SPLITS)) / len(splits)
    wanted = (1 - settings.validation - settings.test, settings.validation, settings.test)
    missed = dict(zip(SPLITS, (rows - wanted).round(4).tolist(), strict=True))
    return {name: by for name, by in missed.items() if abs(by) >= SMALL_SHARE}


def _row_counts(read: int, splits: Splits) -> RowCounts:
    train, validation, test = (int((splits == number).sum()) for number in range(len(SPLITS)))
    return RowCounts(read=read, kept=len(splits), train=train, validation=validation, test=test)


def _target(labels: npt.NDArray[Any], splits: Splits, classes: tuple[str, ...]) -> dict[str, Any]:
    """Fields of the card, or of an auxiliary target: the classes and the rows of each by split, of
    numbers their distribution."""
    fields: dict[str, Any] = {
        "classes": classes,
        "counts": {
            name: _counts(labels[splits == number], classes) for number, name in enumerate(SPLITS)
        },
    }
    if labels.dtype.kind == "f":
        fields["target"] = _statistics(labels[splits == TRAIN])
    return fields


def _auxiliary_target(
    rows: Rows, splits: Splits, second: tuple[str, tuple[str, ...]] | None
) -> dict[str, AuxiliaryTargetCard]:
    """The card's field `second`, where rows have an auxiliary target."""
    if second is None:
        return {}
    name, classes = second
    fields = _target(rows.table.column("second").to_numpy(), splits, classes)
    return {"second": AuxiliaryTargetCard(name=name, **fields)}


def _folds(rows: Rows) -> tuple[int, ...] | None:
    """Rows of each fold; None without folds."""
    if not rows.has("fold"):
        return None
    folds = rows.table.column("fold").to_numpy()
    return tuple(np.bincount(folds[folds >= 0]).tolist())


def _statistics(targets: Floats) -> TargetStatistics:
    """Distribution of the numbers to predict; models learn them as z-scores."""
    deviation = float(targets.std())
    return TargetStatistics(
        mean=float(targets.mean()),
        deviation=deviation if deviation > 0 else 1.0,
        low=float(targets.min()),
        high=float(targets.max()),
    )


def _counts(labels: Ints, classes: tuple[str, ...]) -> dict[str, int]:
    """Rows of each class, or label."""
    if not classes:
        return {}
    multilabel = labels.ndim == 2
    counts = labels.sum(axis=0) if multilabel else np.bincount(labels, minlength=len(classes))
    return dict(zip(classes, map(int, counts), strict=True))
