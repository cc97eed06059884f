"""Rules that are fitted: on the training split alone, after the split.

They may drop rows of the training split only; what is filled in is filled in everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from conf.runtime.errors import BadInput
from conf.runtime.types import Bools, Floats, Ints
from conf.schema.clean import Clean, Interquartile, Isolation
from data.sources.rows import Report, Rows, describe, fixed_list
from tasks.prepare.splitting.split import DROPPED, TRAIN, Splits

MOST_TEXT_FEATURES = 20_000
SIDE = 16


def fill_values(rows: Rows, splits: Splits, clean: Clean) -> Floats | None:
    """What stands for a missing value of each feature, from the training split; None: nothing.

    Values that are kept missing in the store count as the average when they are loaded. Of words
    none stands for a missing one.

    Raises:
        BadInput: a feature has no value at all in the training split.
    """
    if rows.kind != "table" or clean.missing == "drop":
        return None
    train = rows.numbers()[splits == TRAIN]
    found = _stand_ins(train, rows.names, clean)
    return np.concatenate([found, np.zeros(len(rows.names) - len(found))])


def _stand_ins(train: Floats, names: Sequence[str], clean: Clean) -> Floats:
    if clean.missing == "constant":
        return np.full(train.shape[1], clean.fill)
    empty = np.isnan(train).all(axis=0)
    if empty.any():
        raise BadInput(
            f"data: the feature {names[int(np.argmax(empty))]!r} has no value in the training "
            "part; leave it out of data.features"
        )
    if clean.missing == "mode":
        return np.array([_mode(column[~np.isnan(column)]) for column in train.T])
    if clean.missing == "median":
        return np.asarray(np.nanmedian(train, axis=0))
    return np.asarray(np.nanmean(train, axis=0))


def _mode(values: Floats) -> float:
    found, counts = np.unique(values, return_counts=True)
    return float(found[np.argmax(counts)])


def fill(rows: Rows, values: Floats) -> tuple[Rows, Report]:
    """Put the values where there is none, in every split."""
    features = rows.features()
    missing = np.isnan(features)
    filled = np.where(missing, values, features)
    touched = np.asarray(missing.any(axis=1))
    report = Report(
        "filled in",
        len(rows),
        len(rows),
        changed=int(touched.sum()),
        examples=describe(rows, touched, "missing values filled in"),
    )
    return rows.put("features", fixed_list(filled)), report


def drop_outliers(
    rows: Rows, splits: Splits, labels: Ints, clean: Clean, seed: int
) -> tuple[Splits, Report]:
    """Mark the training split's outliers as dropped; a class keeps at least half of its rows."""
    count = int((splits == TRAIN).sum())
    if clean.outliers is None or rows.kind != "table" or not rows.numbers().size:
        return splits, Report("outliers", count, count)
    train = splits == TRAIN
    values = rows.numbers()[train]
    found = np.zeros(len(rows), dtype=bool)
    found[train] = outlying(values, clean.outliers, seed)
    return _dropped(rows, splits, found, labels, "outliers")


def outlying(values: Floats, rule: Interquartile | Isolation, seed: int) -> Bools:
    """Which rows are outliers among themselves."""
    if isinstance(rule, Isolation):
        from sklearn.ensemble import IsolationForest

        filled = np.nan_to_num(values, nan=0.0)
        forest = IsolationForest(contamination=rule.share, random_state=seed % 2**32)
        return np.asarray(forest.fit_predict(filled) < 0)
    low, high = np.nanpercentile(values, [25, 75], axis=0)
    reach = rule.factor * (high - low)
    # A feature that hardly varies has no middle half to measure by.
    outside = ((values < low - reach) | (values > high + reach)) & (high > low)
    return np.asarray(outside.any(axis=1))


def _dropped(
    rows: Rows, splits: Splits, found: Bools, labels: Ints, rule: str
) -> tuple[Splits, Report]:
    count = int((splits == TRAIN).sum())
    for label in np.unique(labels[found]):
        mine = int(((labels == label) & (splits == TRAIN)).sum())
        lost = int(((labels == label) & found).sum())
        if lost > mine // 2:
            raise BadInput(
                f"clean.{rule}: {lost} of the {mine} training rows of class {label} would be "
                "dropped; loosen the rule"
            )
    out = np.where(found, DROPPED, splits).astype(np.int8)
    return out, Report(rule, count, count - int(found.sum()), examples=describe(rows, found, rule))


def find_suspects(
    rows: Rows, splits: Splits, labels: Ints, clean: Clean, seed: int
) -> tuple[Splits, Report]:
    """Labels of the training split that cross-validated predictions contradict."""
    count = int((splits == TRAIN).sum())
    if clean.suspects is None or rows.kind == "pairs":
        return splits, Report("suspects", count, count)
    train = np.flatnonzero(splits == TRAIN)
    kept = rows.keep(splits == TRAIN)
    suspect = suspects(plain_features(kept), labels[train], clean.suspects.folds, seed)
    found = np.zeros(len(rows), dtype=bool)
    found[train[suspect]] = True
    if clean.suspects.action == "drop":
        return _dropped(rows, splits, found, labels, "suspects")
    named = describe(rows, found, "its label is suspect")
    return splits, Report("suspects", count, count, examples=named, flagged=int(found.sum()))


def suspects(features: Any, labels: Ints, folds: int, seed: int) -> Bools:
    """Confident learning over a linear model's cross-validated probabilities."""
    from cleanlab.filter import find_label_issues
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    smallest = int(np.bincount(labels).min())
    if smallest < folds:
        raise BadInput(
            f"clean.suspects.folds: the smallest class has {smallest} training rows; "
            f"set clean.suspects.folds={max(2, smallest)} or raise clean.class_floor"
        )
    splits = StratifiedKFold(folds, shuffle=True, random_state=seed % 2**32)
    model = LogisticRegression(max_iter=300)
    probabilities = cross_val_predict(model, features, labels, cv=splits, method="predict_proba")
    return np.asarray(find_label_issues(labels, probabilities, n_jobs=1), dtype=bool)


def plain_features(rows: Rows) -> Any:
    """Simple features of any kind of row, for a linear model."""
    if rows.kind == "text":
        from sklearn.feature_extraction.text import TfidfVectorizer

        words = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(2, 4), max_features=MOST_TEXT_FEATURES
        )
        return words.fit_transform(rows.strings("text"))
    if rows.kind == "image":
        values = np.concatenate([_small(block) for block in rows.blocks()])
    else:
        values = np.nan_to_num(rows.features().astype(np.float64))
    deviation = values.std(axis=0)
    return (values - values.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)


def _small(images: npt.NDArray[np.uint8]) -> Floats:
    """Grey images of at most 16 x 16, flat."""
    import cv2

    grey = images.mean(axis=3)
    side = (min(SIDE, grey.shape[2]), min(SIDE, grey.shape[1]))
    return np.stack([cv2.resize(one, side, interpolation=cv2.INTER_AREA) for one in grey]).reshape(
        len(images), -1
    )
