"""Monitor a champion: read new rows, predict, test for drift, record the report."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.champion import Monitor
from conf.schema.evaluate import Evaluate, direction_of
from data.card import Inputs, parse_inputs
from tasks.evaluate.evaluation import Interval
from tasks.evaluate.intervals import bootstrap_intervals
from tasks.evaluate.predictions import AnyPredictions
from tasks.monitor.drift import DriftReport, DriftTest, compare, quality
from tasks.monitor.incoming import IncomingRows, Seen, arrived, read_rows
from tasks.monitor.runs import MonitorRun, NoNewRows, record_run
from tasks.packaging import drift_reference
from tasks.packaging.drift_features import (
    answers_of,
    complete_rows,
    feature_columns,
    features_of,
)
from tasks.packaging.package import package_metadata, package_predict
from tasks.registry import aliases
from tasks.registry.promote import no_champion
from tasks.scoring.predict import loaded_version
from tasks.scoring.score_files import NOT_FROM_PACKAGE, predictions_of
from tasks.study.reader import StudyRecord, studies
from tasks.track.store import mlflow_session

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.pyfunc import PyFuncModel


def watch(
    client: MlflowClient,
    home: Home,
    model: str,
    place: Path,
    settings: Monitor,
    *,
    time: float,
    again: bool = False,
) -> MonitorRun | NoNewRows:
    """Test the new rows of a file or folder for drift against a model's champion.

    Of a folder the files are read that no earlier run has read. They count as read once the report
    is recorded, so that a run that fails is repeated. With fewer rows than `settings.rows` there is
    no report, and the files stay new.

    Args:
        client: of tracking store and registry.
        home: keeps the reports.
        model: registered model.
        place: a file of rows, or a folder that receives files or images.
        settings: when to raise an alarm.
        time: seconds since the epoch.
        again: read every file of the folder, also those read before.

    Raises:
        BadInput: there is no champion, no rows, or rows that it does not accept.
        Held: another process monitors the same place.
    """
    version = aliases.aliased(client, model)
    if version is None:
        raise BadInput(no_champion(client, model))
    seen = Seen(home, model, place)
    with seen.held():
        stamps = arrived(place, {} if again else seen.stamps())
        if not stamps:
            return NoNewRows(f"no file in {place} is new")
        with tempfile.TemporaryDirectory() as folder:
            loaded = loaded_version(client, version, folder)
            read = read_rows(loaded, place, sorted(stamps))
            rows = _complete(loaded, read, place)
            if len(rows) < settings.rows:
                return _too_few(place, len(rows), len(read) - len(rows), settings.rows)
            reference = _reference(client, version, folder)
            report = _report(loaded, version, reference, rows, place, settings)
        report = report.model_copy(
            update={"time": time, "files": len(stamps), "incomplete": len(read) - len(rows)}
        )
        run = record_run(client, home, report)
        if place.is_dir():
            seen.add(stamps)
    return run


def _complete(model: PyFuncModel, rows: IncomingRows, place: Path) -> IncomingRows:
    """The rows that training would have kept."""
    try:
        return rows.select(complete_rows(rows.values, _inputs(model)))
    except ValueError as error:  # the encoder's own message about a value it does not accept
        raise BadInput(f"{place}: {error}") from error


def _inputs(model: PyFuncModel) -> Inputs:
    return parse_inputs(package_metadata(model)["inputs"])


def _too_few(place: Path, rows: int, incomplete: int, needed: int) -> NoNewRows:
    complete = " complete" if incomplete else ""
    without = f" ({incomplete} lack a value and are left out, as in training)" if incomplete else ""
    why = f"{place} has {rows}{complete} new rows{without}; monitoring needs {needed}"
    if place.is_file():
        raise BadInput(f"{why}: add rows, or lower monitor.rows")
    return NoNewRows(f"{why} (monitor.rows)")


def _reference(
    client: MlflowClient, version: ModelVersion, folder: str
) -> drift_reference.DriftReference:
    """The drift reference that was registered with the version."""
    from mlflow.exceptions import MlflowException

    try:
        path = client.download_artifacts(str(version.run_id), drift_reference.REFERENCE, folder)
    except (MlflowException, OSError) as error:
        raise BadInput(
            f"version {version.version} of {version.name!r} was registered without a drift "
            "reference; run its study under another name with "
            f"champion.model={version.name}, whose champion will have one"
        ) from error
    return drift_reference.read(Path(path))


def _report(
    model: PyFuncModel,
    version: ModelVersion,
    reference: drift_reference.DriftReference,
    rows: IncomingRows,
    place: Path,
    settings: Monitor,
) -> DriftReport:
    facts = package_metadata(model)
    try:
        answers = package_predict(model, rows.values)
    except ValueError as error:  # the model's own message about a value it does not accept
        raise BadInput(f"{place}: {error}") from error
    promised = _promised(version)
    labelled = np.array([target is not None for target in rows.targets])
    metrics = _metrics(answers[labelled], rows, facts, place)
    features = features_of(rows.values, _inputs(model))
    comparison = compare(
        reference,
        features,
        answers_of(_unlabelled(answers, facts, place)),
        settings,
        quality=_quality(facts["objective"], metrics, promised, int(labelled.sum()), version),
        classes=[str(label) for label in facts["labels"]],
        columns=feature_columns(features.names, _inputs(model)),
    )
    return DriftReport(
        study=version.tags["dense.study"],
        model=version.name,
        version=str(version.version),
        place=str(place),
        time=0.0,
        rows=len(rows),
        labelled=int(labelled.sum()),
        files=1,
        tests=comparison.tests,
        features=comparison.features,
        answers=comparison.answers,
        shares=comparison.shares,
        metrics=metrics,
        promised=promised,
        alpha=settings.alpha,
        effect=settings.effect,
    )


def _quality(
    objective: str,
    metrics: Mapping[str, Interval],
    promised: Mapping[str, Interval],
    labelled: int,
    version: ModelVersion,
) -> DriftTest | None:
    if objective not in metrics or objective not in promised:
        return None
    tested = int(version.tags["dense.test_rows"])
    direction = direction_of(objective)
    return quality(objective, direction, metrics[objective], promised[objective], labelled, tested)


def _unlabelled(answers: pd.DataFrame, facts: Mapping[str, Any], place: Path) -> AnyPredictions:
    """The predictions with placeholder targets, for comparisons that use none."""
    labels = facts["labels"]
    return predictions_of(answers, [labels[0] if labels else 0] * len(answers), facts, place)


def _promised(version: ModelVersion) -> dict[str, Interval]:
    intervals = json.loads(version.tags["dense.test"])
    return {name: Interval.model_validate(each) for name, each in intervals.items()}


def _metrics(
    answers: pd.DataFrame, rows: IncomingRows, facts: Mapping[str, Any], place: Path
) -> dict[str, Interval]:
    """Metrics of the labelled rows; empty without such rows."""
    targets = [target for target in rows.targets if target is not None]
    if not targets:
        return {}
    predictions = predictions_of(answers.reset_index(drop=True), targets, facts, place)
    section = Evaluate.model_validate(facts["config"]["evaluate"])
    names = [name for name in section.metrics if name not in NOT_FROM_PACKAGE]
    return {
        name: Interval(value=each.value, low=each.low, high=each.high)
        for name, each in bootstrap_intervals(predictions, section, names).items()
    }


def monitor_rows(home: Home, name: str, place: Path, *, again: bool) -> MonitorRun | NoNewRows:
    """Monitor the champion of a study, or of a registered model, on the rows of a place."""
    settings = StudyRecord.read(home, name).study.monitor if name in studies(home) else Monitor()
    with mlflow_session(home) as client:
        return watch(
            client,
            home,
            aliases.model_of(home, name),
            place,
            settings,
            time=time.time(),
            again=again,
        )
