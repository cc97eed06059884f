"""Cleaning rules that are fitted on the training split: imputation, outliers, label errors.

They drop rows of the training split only; missing values are filled in in every split.
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
    """The value that replaces a missing one of each feature, float64 of shape (features,).

    With `clean.missing` keep, values stay missing in the store and are replaced by the mean when
    they are loaded. A missing category is 0 in every one-hot column. None: nothing is replaced.

    Raises:
        BadInput: a feature has no value at all in the training split.
    """
    if rows.kind != "table" or clean.missing == "drop":
        return None
    train = rows.numbers()[splits == TRAIN]
    values = _stand_ins(train, rows.names, clean)
    return np.concatenate([values, np.zeros(len(rows.names) - len(values))])


def _stand_ins(train: Floats, names: Sequence[str], clean: Clean) -> Floats:
    if clean.missing == "constant":
        return np.full(train.shape[1], clean.fill)
    empty = np.isnan(train).all(axis=0)
    if empty.any():
        raise BadInput(
            f"data: the feature {names[int(np.argmax(empty))]!r} has no value in the training "
            "split; leave it out of data.features"
        )
    if clean.missing == "mode":
        return np.array([_mode(column[~np.isnan(column)]) for column in train.T])
    if clean.missing == "median":
        return np.asarray(np.nanmedian(train, axis=0))
    return np.asarray(np.nanmean(train, axis=0))


def _mode(values: Floats) -> float:
    distinct, counts = np.unique(values, return_counts=True)
    return float(distinct[np.argmax(counts)])


def fill(rows: Rows, values: Floats) -> tuple[Rows, Report]:
    """Replace missing values by those of `fill_values`, in every split."""
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
    """Mark outliers of the training split as dropped.

    Raises:
        BadInput: a class would lose more than half of its rows.
    """
    count = int((splits == TRAIN).sum())
    if clean.outliers is None or rows.kind != "table" or not rows.numbers().size:
        return splits, Report("outliers", count, count)
    train = splits == TRAIN
    values = rows.numbers()[train]
    mask = np.zeros(len(rows), dtype=bool)
    mask[train] = outlying(values, clean.outliers, seed)
    return _dropped(rows, splits, mask, labels, "outliers")


def outlying(values: Floats, rule: Interquartile | Isolation, seed: int) -> Bools:
    """Mask of the rows that are outliers among the given ones, of shape (rows,).

    Source: Tukey's fences, or isolation forest (Liu et al., doi:10.1109/ICDM.2008.17).
    """
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
    rows: Rows, splits: Splits, mask: Bools, labels: Ints, rule: str
) -> tuple[Splits, Report]:
    count = int((splits == TRAIN).sum())
    for label in np.unique(labels[mask]):
        rows_of = int(((labels == label) & (splits == TRAIN)).sum())
        lost = int(((labels == label) & mask).sum())
        if lost > rows_of // 2:
            raise BadInput(
                f"clean.{rule}: {lost} of the {rows_of} training rows of class {label} would be "
                "dropped; loosen the rule"
            )
    out = np.where(mask, DROPPED, splits).astype(np.int8)
    return out, Report(rule, count, count - int(mask.sum()), examples=describe(rows, mask, rule))


def find_suspects(
    rows: Rows, splits: Splits, labels: Ints, clean: Clean, seed: int
) -> tuple[Splits, Report]:
    """Drop or flag rows of the training split whose label is a likely error (`suspects`)."""
    count = int((splits == TRAIN).sum())
    if clean.suspects is None or rows.kind == "pairs":
        return splits, Report("suspects", count, count)
    train = np.flatnonzero(splits == TRAIN)
    training = rows.keep(splits == TRAIN)
    places = suspects(plain_features(training), labels[train], clean.suspects.folds, seed)
    mask = np.zeros(len(rows), dtype=bool)
    mask[train[places]] = True
    if clean.suspects.action == "drop":
        return _dropped(rows, splits, mask, labels, "suspects")
    examples = describe(rows, mask, "its label is suspect")
    return splits, Report("suspects", count, count, examples=examples, flagged=int(mask.sum()))


def suspects(features: Any, labels: Ints, folds: int, seed: int) -> Bools:
    """Mask of likely label errors, of shape (rows,), by confident learning.

    The probabilities are cross-validated ones of a linear model.

    Source: Northcutt et al., arXiv:1911.00068; the implementation is cleanlab's.
    """
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
    """Features for a linear model: TF-IDF of texts, small grey images, scaled columns."""
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
    """Grey images of at most 16 x 16 pixels, flattened."""
    import cv2

    grey = images.mean(axis=3)
    side = (min(SIDE, grey.shape[2]), min(SIDE, grey.shape[1]))
    return np.stack([cv2.resize(one, side, interpolation=cv2.INTER_AREA) for one in grey]).reshape(
        len(images), -1
    )
