"""Metrics of a registered model on new files with targets, with bootstrap intervals."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from conf.runtime.errors import BadInput
from conf.runtime.text_table import text_table
from conf.runtime.types import Ints
from conf.schema.data import Band
from conf.schema.evaluate import OF_TASK, Evaluate
from data.card import parse_inputs
from data.encoding.table_encoder import find_level, parse, text_of
from data.sources.labels import class_labels, several
from data.sources.table_file import READABLE, TableFormat
from tasks.evaluate.intervals import BootstrapInterval, bootstrap_intervals
from tasks.evaluate.predictions import (
    AnyPredictions,
    AuxiliaryPredictions,
    LabelPredictions,
    NumberPredictions,
    Predictions,
    TextPredictions,
)
from tasks.packaging.benchmark import split_columns
from tasks.packaging.package import package_metadata
from tasks.registry import aliases
from tasks.registry.promote import meant
from tasks.scoring.answers import Answers, answer_rows
from tasks.scoring.predict import loaded_version, rows_of
from tasks.scoring.read_files import read_table

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.pyfunc import PyFuncModel

NOT_FROM_PACKAGE = ("perplexity",)
"""Metrics that cannot be computed from the predictions of a packed model."""


@dataclass(frozen=True)
class FileScore:
    """The metrics on one file."""

    place: str
    rows: int
    metrics: Mapping[str, BootstrapInterval]
    remarks: tuple[str, ...] = ()
    """Rows that are left out, and categories that training never saw."""


def score_files(
    client: MlflowClient,
    model: str,
    files: Sequence[Path],
    which: str = aliases.CHAMPION,
    metrics: Sequence[str] = (),
) -> list[FileScore]:
    """Score a registered model on files of rows and their targets.

    Args:
        client: of the registry.
        model: registered model.
        files: `.csv`, `.parquet` or `.jsonl` with the columns that the model's study had, its
            target's among them; of images a folder with a sub-folder a class.
        which: the version, by alias or number.
        metrics: instead of those of its study.

    Raises:
        BadInput: there is no such version, a metric is not for its task, or a file lacks the rows
            or the targets.
    """
    if gone := [file for file in files if not file.exists()]:
        raise BadInput(f"there is no file {gone[0]}")
    version = meant(client, model, which)
    with tempfile.TemporaryDirectory() as folder:
        loaded = loaded_version(client, version, folder)
        return [score_file(loaded, file, metrics) for file in files]


def score_file(model: PyFuncModel, file: Path, metrics: Sequence[str] = ()) -> FileScore:
    """Metrics on one file, with intervals: those of the model's own study, or others.

    Raises:
        BadInput: the file has not the rows that the model takes, or their targets.
    """
    facts = package_metadata(model)
    section = _evaluate_section(facts["config"], metrics)
    rows, names = rows_of(model, file)
    targets = [Path(name).parts[0] for name in names]
    targets = targets or _banded(_column(file, facts, target_name(facts)), facts)
    answers = answer_rows(model, rows, parse_inputs(facts["inputs"]), str(file))
    remarks = answers.remarks()
    frame, kept = _with_targets(answers, targets, facts)
    if gone := len(answers.answered) - len(kept):
        remarks.append(f"{gone:,} rows without a target are left out, as in training")
    if not len(kept):
        raise BadInput(f"{file}: no row has both an answer and a target; {'; '.join(remarks)}")
    first, auxiliary = split_columns(frame, facts.get("second"))
    predictions = predictions_of(first, [targets[row] for row in kept], facts, file)
    if auxiliary is not None and not isinstance(predictions, TextPredictions):
        predictions = replace(predictions, auxiliary=_auxiliary(auxiliary, facts, file, kept))
    intervals = bootstrap_intervals(predictions, section)
    return FileScore(str(file), len(kept), intervals, tuple(remarks))


def _banded(targets: list[Any], facts: Mapping[str, Any]) -> list[Any]:
    """Targets as classes, where the study makes classes of a number (`data.bands`)."""
    data = facts["config"]["data"]
    bands = [Band.model_validate(band) for band in data.get("bands") or ()]
    return list(class_labels(targets, bands, data["label"])) if bands else targets


def _with_targets(
    answers: Answers, targets: Sequence[Any], facts: Mapping[str, Any]
) -> tuple[pd.DataFrame, Ints]:
    """Answers of the rows that have a target, and the positions of these rows in the file.

    An empty cell of labels is a target: no label applies.
    """
    data = facts["config"]["data"]
    if data["task"] == "multilabel":
        return answers.frame, answers.answered
    missing = set(data.get("missing") or ())
    texts = (text_of(targets[row]) for row in answers.answered)
    there = np.array([text is not None and text not in missing for text in texts], bool)
    return answers.frame[there], answers.answered[there]


def _evaluate_section(config: Mapping[str, Any], asked: Sequence[str]) -> Evaluate:
    """The study's `evaluate` section with the requested metrics that a packed model allows."""
    section, task = Evaluate.model_validate(config["evaluate"]), config["data"]["task"]
    known = [name for name in OF_TASK[task] if name not in NOT_FROM_PACKAGE]
    if wrong := [name for name in asked if name not in known]:
        raise BadInput(f"--metric {wrong[0]}: a model for {task} is scored by {', '.join(known)}")
    names = tuple(dict.fromkeys(asked or (n for n in section.metrics if n in known)))
    return section.model_copy(update={"metrics": names})


def _auxiliary(
    answers: pd.DataFrame, facts: Mapping[str, Any], file: Path, rows: Ints
) -> AuxiliaryPredictions:
    """Predictions of the auxiliary target, with the file's column of its targets."""
    column = facts["config"]["data"]["second"]["label"]
    targets = _column(file, facts, column)
    predictions = predictions_of(answers, [targets[row] for row in rows], facts["second"], file)
    assert isinstance(predictions, Predictions | NumberPredictions)
    return AuxiliaryPredictions(facts["second"]["name"], predictions)


def predictions_of(
    answers: pd.DataFrame, targets: Sequence[Any], facts: Mapping[str, Any], place: Path
) -> AnyPredictions:
    """The predictions of a packed model with their targets, from which metrics are computed.

    Args:
        answers: of the model, one line per target.
        targets: class names, cells with labels, numbers, or texts.
        facts: the model's metadata; for an auxiliary target the part that describes it.
        place: file of the targets, for error messages.

    Raises:
        BadInput: a target is not one of the model's classes, or not a number.
    """
    ids = np.arange(len(targets))
    if "text" in answers and not facts["labels"]:
        return TextPredictions(ids, [str(text) for text in targets], answers["text"].tolist())
    if "prediction" in answers:
        data = facts.get("config", {}).get("data", {})
        floats = np.array([_target_number(target, place, data) for target in targets])
        return NumberPredictions(ids, floats, answers["prediction"].to_numpy())
    probabilities = answers.filter(regex="^p_").to_numpy(dtype=np.float32)
    if "labels" in answers:
        return LabelPredictions(ids, _indicators(targets, facts, place), probabilities)
    numbers = _class_numbers(targets, facts["labels"], place)
    return Predictions(ids, numbers, probabilities.argmax(axis=1), probabilities)


def _indicators(targets: Sequence[Any], facts: Mapping[str, Any], place: Path) -> NDArray[np.int8]:
    """Indicator matrix of the labels that each target names, int8[rows, labels]."""
    data, known = facts["config"]["data"], [str(label) for label in facts["labels"]]
    out = np.zeros((len(targets), len(known)), dtype=np.int8)
    for row, target in enumerate(targets):
        for name in several(target, data["label_separator"]):
            if name not in known:
                raise BadInput(
                    f"{place}: row {row} has the label {name!r}, which the model does not know; it "
                    f"knows {', '.join(known)}"
                )
            out[row, known.index(name)] = 1
    return out


def target_name(facts: Mapping[str, Any]) -> str:
    """Name of the target column: that of the study, or `target` for pairs, else `label`."""
    data = facts["config"]["data"]
    pairs = parse_inputs(facts["inputs"]).kind == "pairs"
    return str(data.get("target_column" if pairs else "label") or ("target" if pairs else "label"))


def column_of(file: Path, name: str, data: Mapping[str, Any]) -> list[Any] | None:
    """A column of a file; None if it has no such column, or no columns at all.

    `data` is the study's `data` section, for `separator` and `encoding`.
    """
    frame = _table(file, data)
    return list(frame[name]) if frame is not None and name in frame else None


def _column(file: Path, facts: Mapping[str, Any], name: str) -> list[Any]:
    frame = _table(file, facts["config"]["data"])
    if frame is None:
        raise BadInput(
            f"{file} has no targets: pass {READABLE} with the column {name!r}, or for "
            "images a folder with one sub-folder per class"
        )
    if name not in frame:
        has = ", ".join(map(str, frame))
        raise BadInput(f"{file} has no column {name!r} for the targets; it has {has}")
    return list(frame[name])


def _table(file: Path, data: Mapping[str, Any]) -> pd.DataFrame | None:
    table = read_table(file, data)
    return None if isinstance(table, list) else table


def _target_number(target: Any, file: Path, data: Mapping[str, Any]) -> float:
    try:
        number = parse(target, {"kind": "number", **TableFormat.of(data).numbers})
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        raise BadInput(f"{file}: the target {target!r} is not a number; correct or drop the row")
    return number


def _class_numbers(targets: Sequence[Any], labels: Sequence[Any], file: Path) -> Ints:
    """Index of each target among the model's classes, int64[rows]."""
    places = {str(label): number for number, label in enumerate(labels)}
    found = [find_level(text_of(target) or "", places) for target in targets]
    if None in found:
        row = found.index(None)
        raise BadInput(
            f"{file}: row {row} has the label {targets[row]!r}, which the model does not know; it "
            f"knows {', '.join(places)}"
        )
    return np.array(found, dtype=np.int64)


def _shown(interval: BootstrapInterval) -> str:
    if not isfinite(interval.value):
        return "not defined"
    return f"{interval.value:.4f} ({interval.low:.4f} – {interval.high:.4f})"


def score_table(scores: Sequence[FileScore]) -> list[str]:
    """One line per file: number of rows, and each metric with its 95 % interval."""
    metrics = list(scores[0].metrics)
    table = [["", "rows", *metrics]]
    for one in scores:
        cells = [one.metrics[name] for name in metrics]
        table.append([one.place, f"{one.rows:,}", *map(_shown, cells)])
    remarks = [f"{one.place}: {remark}" for one in scores for remark in one.remarks]
    return remarks + text_table(table)
