"""What the champion is worth on files that it has never been near."""

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
from conf.schema.evaluate import OF_TASK, Evaluate
from data.card import parse_inputs
from data.sources.labels import several
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
from tasks.registry import aliases
from tasks.registry.promote import meant
from tasks.scoring.predict import loaded_version, rows_of
from tasks.scoring.read_files import TABLES, read_table

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.pyfunc import PyFuncModel

UNANSWERED = ("perplexity",)
"""Metrics that follow from more than a packed model answers."""


@dataclass(frozen=True)
class FileScore:
    """The metrics on one file."""

    place: str
    rows: int
    metrics: Mapping[str, BootstrapInterval]


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
        which: the version, by an alias or its number.
        metrics: other ones than its study's.

    Raises:
        BadInput: there is no such version, a metric is not of what it answers, or a file has not
            the rows or the targets.
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
    facts = model.metadata.metadata
    section = _section(facts["config"], metrics)
    rows, names = rows_of(model, file)
    targets = [Path(name).parts[0] for name in names]
    targets = targets or _column(file, facts, target_name(facts))
    try:
        answers = model.predict(rows)
    except ValueError as error:  # the model's own sentence about a value it cannot take
        raise BadInput(f"{file}: {error}") from error
    first, other = split_columns(answers, facts.get("second"))
    said = as_said(first, targets, facts, file)
    if other is not None and not isinstance(said, TextPredictions):
        said = replace(said, auxiliary=_second(other, facts, file))
    return FileScore(str(file), len(targets), bootstrap_intervals(said, section))


def _section(config: Mapping[str, Any], asked: Sequence[str]) -> Evaluate:
    """The study's own section, with the metrics that are asked for and can be had here."""
    section, task = Evaluate.model_validate(config["evaluate"]), config["data"]["task"]
    known = [name for name in OF_TASK[task] if name not in UNANSWERED]
    if wrong := [name for name in asked if name not in known]:
        raise BadInput(f"--metric {wrong[0]}: a model for {task} is scored by {', '.join(known)}")
    wanted = tuple(dict.fromkeys(asked or (n for n in section.metrics if n in known)))
    return section.model_copy(update={"metrics": wanted})


def _second(answers: pd.DataFrame, facts: Mapping[str, Any], file: Path) -> AuxiliaryPredictions:
    """What was said of a second answer beside the file's column of it."""
    column = facts["config"]["data"]["second"]["label"]
    said = as_said(answers, _column(file, facts, column), facts["second"], file)
    assert isinstance(said, Predictions | NumberPredictions)
    return AuxiliaryPredictions(facts["second"]["name"], said)


def as_said(
    answers: pd.DataFrame, targets: Sequence[Any], facts: Mapping[str, Any], place: Path
) -> AnyPredictions:
    """A packed model's answers beside the targets, as metrics are computed from.

    Args:
        answers: of the model, a line a target.
        targets: names of classes, cells with labels, numbers, or texts.
        facts: the model's metadata, of a second answer what it says of that.
        place: where the targets come from, for errors.

    Raises:
        BadInput: a target is none of the model's classes, or no number.
    """
    ids = np.arange(len(targets))
    if "text" in answers and not facts["labels"]:
        return TextPredictions(ids, [str(text) for text in targets], answers["text"].tolist())
    if "prediction" in answers:
        floats = np.array([_float(target, place) for target in targets])
        return NumberPredictions(ids, floats, answers["prediction"].to_numpy())
    probabilities = answers.filter(regex="^p_").to_numpy(dtype=np.float32)
    if "labels" in answers:
        return LabelPredictions(ids, _indicators(targets, facts, place), probabilities)
    numbers = _numbers(targets, facts["labels"], place)
    return Predictions(ids, numbers, probabilities.argmax(axis=1), probabilities)


def _indicators(targets: Sequence[Any], facts: Mapping[str, Any], place: Path) -> NDArray[np.int8]:
    """Which of the model's labels each target names, (rows, labels)."""
    data, known = facts["config"]["data"], [str(label) for label in facts["labels"]]
    out = np.zeros((len(targets), len(known)), dtype=np.int8)
    for row, target in enumerate(targets):
        for name in several(target, data["label_separator"], data["label"]):
            if name not in known:
                raise BadInput(
                    f"{place}: row {row} has the label {name!r}, which the model does not know; it "
                    f"knows {', '.join(known)}"
                )
            out[row, known.index(name)] = 1
    return out


def target_name(facts: Mapping[str, Any]) -> str:
    """The column of the targets: the study's own, `target` of pairs, else `label`."""
    data = facts["config"]["data"]
    pairs = parse_inputs(facts["inputs"]).kind == "pairs"
    return str(data.get("target_column" if pairs else "label") or ("target" if pairs else "label"))


def column_of(file: Path, name: str, data: Mapping[str, Any]) -> list[Any] | None:
    """A column of a table; None where the file has none of that name, or no columns at all.

    `data` is the study's, whose separator and encoding the file has.
    """
    frame = _table(file, data)
    return list(frame[name]) if frame is not None and name in frame else None


def _column(file: Path, facts: Mapping[str, Any], name: str) -> list[Any]:
    frame = _table(file, facts["config"]["data"])
    if frame is None:
        raise BadInput(
            f"{file} has no targets: give {', '.join(TABLES)} with the column {name!r}, or of "
            "images a folder with a sub-folder a class"
        )
    if name not in frame:
        has = ", ".join(map(str, frame))
        raise BadInput(f"{file} has no column {name!r} for the targets; it has {has}")
    return list(frame[name])


def _table(file: Path, data: Mapping[str, Any]) -> pd.DataFrame | None:
    found = read_table(file, data)
    return None if isinstance(found, list) else found


def _float(target: Any, file: Path) -> float:
    try:
        number = float(target)
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        raise BadInput(f"{file}: the target {target!r} is no number; correct or drop its row")
    return number


def _numbers(targets: Sequence[Any], labels: Sequence[Any], file: Path) -> NDArray[np.int64]:
    """Each target as its place among the model's classes."""
    place = {str(label): number for number, label in enumerate(labels)}
    for row, target in enumerate(targets):
        if str(target) not in place:
            raise BadInput(
                f"{file}: row {row} has the label {target!r}, which the model does not know; it "
                f"knows {', '.join(place)}"
            )
    return np.array([place[str(target)] for target in targets], dtype=np.int64)


def _cell(found: BootstrapInterval) -> str:
    if not isfinite(found.value):
        return "not defined"
    return f"{found.value:.4f} ({found.low:.4f} – {found.high:.4f})"


def table_of(found: Sequence[FileScore]) -> list[str]:
    """A line a file: rows, and each metric with its 95 % interval."""
    metrics = list(found[0].metrics)
    table = [["", "rows", *metrics]]
    for one in found:
        cells = [one.metrics[name] for name in metrics]
        table.append([one.place, f"{one.rows:,}", *map(_cell, cells)])
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
