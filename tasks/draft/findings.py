"""Inspect data for a draft: near duplicates, label errors, personal data, leaks.

A rule of `clean` goes into the draft only where it finds something; what looks like a leak is said,
since only a person knows whether a column is known before the target is.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from conf.runtime.home import Home
from conf.runtime.types import Floats
from conf.schema.clean import NearDuplicates, PersonalData
from conf.schema.study import Study
from data.sources import open_source
from data.sources.rows import Rows
from tasks.prepare.cleaning.labels import class_names, encode
from tasks.prepare.cleaning.near_duplicates import near_duplicates
from tasks.prepare.cleaning.privacy import masked
from tasks.prepare.cleaning.rules import clean_rows
from tasks.prepare.fitted_cleaning import plain_features, suspects

MOST_NEAR = 0.2
"""Share of near duplicates above which rows are alike by nature, and none is dropped."""
SAMPLE = 5_000
"""Rows that are inspected."""
FOLDS = 5
FEWEST_SUSPECTS = 3
"""Label errors below which confident learning finds as many by chance."""
LEAK = 0.95
"""Cross-validated score of one column alone from which it looks like the target itself."""
OWN_LABEL = 0.5
"""Share of texts that hold the name of their class from which they give it away."""


@dataclass(frozen=True)
class Findings:
    """What an inspection found in the sample."""

    rows: int
    near: int = 0
    """Near duplicates of an earlier row."""
    suspects: int = 0
    """Labels that cross-validated predictions contradict."""
    personal: Counter[str] | None = None
    """Personal data in texts, by kind."""
    leaks: tuple[str, ...] = ()
    """Columns that nearly give the target, as sentences."""

    def rules(self) -> dict[str, Any]:
        """Settings of `clean` that treat what was found."""
        found: dict[str, Any] = {}
        if 0 < self.near <= MOST_NEAR * self.rows:
            found["near"] = {"action": "drop"}
        if self.suspects:
            found["suspects"] = {"action": "report"}
        if self.personal:
            found["privacy"] = {"mask": sorted(self.personal)}
        return found

    def sentences(self) -> Iterator[str]:
        """What was found, and what the draft does about it."""
        sample = f"of {self.rows:,} rows"
        if "near" in self.rules():
            yield f"{self.near:,} {sample} nearly repeat an earlier one and are dropped"
        elif self.near:
            yield f"{self.near:,} {sample} nearly repeat an earlier one; clean.near drops such rows"
        if self.suspects:
            yield f"{self.suspects:,} labels {sample} look wrong; the data card lists them"
        if self.personal:
            kinds = ", ".join(f"{many:,} {kind}" for kind, many in self.personal.most_common())
            yield f"personal data in texts ({kinds}) is masked"
        yield from (f"leak? {leak}" for leak in self.leaks)


def inspect(study: Study, home: Home) -> Findings:
    """Inspect a sample of a drafted study's data.

    Raises:
        BadInput: the data cannot be read.
    """
    with tempfile.TemporaryDirectory() as scratch:
        raw = open_source(study.data, study.clean, home).read(Path(scratch))
        rows, _ = clean_rows(_sampled(raw), study.clean)
        if len(rows) < 2 * FOLDS:
            return Findings(len(rows))
        return Findings(
            len(rows),
            near=int((near_duplicates(rows, NearDuplicates()) >= 0).sum()),
            suspects=_label_errors(rows, study),
            personal=_personal(rows),
            leaks=(*_column_leaks(rows, study), *_text_leaks(rows, study)),
        )


def _sampled(rows: Rows) -> Rows:
    mask = np.zeros(len(rows), bool)
    mask[np.linspace(0, len(rows) - 1, min(SAMPLE, len(rows))).astype(int)] = True
    return rows.keep(mask)


def _label_errors(rows: Rows, study: Study) -> int:
    if rows.kind == "pairs" or study.data.task != "classification":
        return 0
    classes = class_names(rows)
    labels = encode(rows, classes)
    if np.bincount(labels, minlength=len(classes)).min() < FOLDS or len(classes) < 2:
        return 0
    many = int(suspects(plain_features(rows), labels, FOLDS, study.seed).sum())
    return many if many >= max(FEWEST_SUSPECTS, len(rows) // 200) else 0


def _personal(rows: Rows) -> Counter[str] | None:
    if rows.kind not in ("text", "pairs"):
        return None
    counts: Counter[str] = Counter()
    columns = ("text",) if rows.kind == "text" else ("source", "target")
    for name in columns:
        for text in rows.strings(name):
            masked(text, PersonalData(), None, counts)
    return counts or None


def _column_leaks(rows: Rows, study: Study) -> Iterator[str]:
    """Columns of a table, and the order of the rows, that nearly give the target alone."""
    if rows.kind != "table" or study.data.task == "multilabel":
        return
    regression = study.data.task == "regression"
    labels = rows.labels()
    target = labels.astype(np.float64) if regression else np.unique(labels, return_inverse=True)[1]
    if _alone(rows.ids().astype(np.float64), target, regression) >= LEAK:
        yield (
            "the order of the rows nearly gives the target; a random split then hides that new "
            "rows come later: data.time and split.by=time"
        )
    for name, values in zip(rows.names, rows.features().T, strict=True):
        score = _alone(values, target, regression)
        if score >= LEAK:
            what = "R²" if regression else "balanced accuracy"
            yield (
                f"{name!r} alone predicts the target ({what} {score:.3f}); if it is not known "
                f"beforehand, name it in data.without"
            )


def _alone(values: Floats, target: Any, regression: bool) -> float:
    """Cross-validated score of a small tree on one column: R², or balanced accuracy that is 0 by
    chance and 1 at best."""
    from sklearn.model_selection import cross_val_score
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    x = np.nan_to_num(values, nan=-1e30)[:, None]
    if regression:
        tree: Any = DecisionTreeRegressor(max_depth=6, min_samples_leaf=3, random_state=0)
        return float(cross_val_score(tree, x, target, cv=_folds(stratified=False)).mean())
    if np.bincount(target).min() < FOLDS:
        return 0.0
    classes = len(np.unique(target))
    tree = DecisionTreeClassifier(max_leaf_nodes=4 * classes, min_samples_leaf=2, random_state=0)
    scores = cross_val_score(
        tree, x, target, cv=_folds(stratified=True), scoring="balanced_accuracy"
    )
    return float((scores.mean() - 1 / classes) / (1 - 1 / classes))


def _folds(*, stratified: bool) -> Any:
    from sklearn.model_selection import KFold, StratifiedKFold

    kind = StratifiedKFold if stratified else KFold
    return kind(FOLDS, shuffle=True, random_state=0)


def _text_leaks(rows: Rows, study: Study) -> Iterator[str]:
    """Names of classes that stand in their own texts and in few others."""
    if rows.kind != "text" or study.data.task != "classification":
        return
    labels, texts = rows.labels(), [text.lower() for text in rows.strings("text")]
    for label in sorted(set(labels)):
        if len(label) < 3:
            continue
        word = re.compile(rf"\b{re.escape(label.lower())}\b")
        holds = np.array([word.search(text) is not None for text in texts])
        own = labels == label
        if holds[own].mean() >= OWN_LABEL and holds[~own].mean() < 0.1 * OWN_LABEL:
            yield (
                f"{holds[own].mean():.0%} of the texts of class {label!r} hold its name; remove it "
                "from the texts if it was written after the fact"
            )
