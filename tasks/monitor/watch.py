"""New rows held against what a champion was made from: read, answered, compared, recorded."""

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
from data.card import parse_inputs
from tasks.evaluate.evaluation import Interval
from tasks.evaluate.intervals import bootstrap_intervals
from tasks.evaluate.predictions import AnyPredictions
from tasks.monitor.drift import DriftReport, compare, quality
from tasks.monitor.incoming import IncomingRows, Seen, arrived, read_rows
from tasks.monitor.runs import MonitorRun, NoNewRows, record_run
from tasks.packaging import drift_reference
from tasks.packaging.drift_features import answers_of, features_of
from tasks.registry import aliases
from tasks.registry.promote import no_champion
from tasks.scoring.predict import loaded_version
from tasks.scoring.score_files import NOT_FROM_PACKAGE, predictions_of
from tasks.study.reader import StudyRecord, studies
from tasks.track import store

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
    """Look at the new rows of a place with the eyes of a model's champion.

    Of a folder the files are looked at that no look has seen; they count as seen once the look is
    recorded, so that one that fails is made again. Of fewer rows than `settings.rows` there is no
    look, and they stay new.

    Args:
        client: of tracking store and registry.
        home: keeps the looks.
        model: registered model.
        place: a file of rows, or a folder that gets files or images.
        settings: when it is an alarm.
        time: seconds since the epoch.
        again: every file of the folder, also what was seen.

    Raises:
        BadInput: there is no champion, no rows, or rows that it does not take.
        Held: another look at the place is under way.
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
            rows = read_rows(loaded, place, sorted(stamps))
            if len(rows) < settings.rows:
                return _too_few(place, len(rows), settings.rows)
            known = _reference(client, version, folder)
            found = _look(loaded, version, known, rows, place, len(stamps), settings, time)
        kept = record_run(client, home, found)
        if place.is_dir():
            seen.add(stamps)
    return kept


def _too_few(place: Path, rows: int, wanted: int) -> NoNewRows:
    said = f"{place} has {rows} new rows, and a look takes {wanted} (monitor.rows)"
    if place.is_file():
        raise BadInput(f"{said}; give more, or lower it")
    return NoNewRows(said)


def _reference(
    client: MlflowClient, version: ModelVersion, folder: str
) -> drift_reference.DriftReference:
    """What was kept with the version."""
    from mlflow.exceptions import MlflowException

    try:
        found = client.download_artifacts(version.run_id, drift_reference.REFERENCE, folder)
    except (MlflowException, OSError) as error:
        raise BadInput(
            f"version {version.version} of {version.name!r} was registered without what its rows "
            f"looked like; run its study under another name with champion.model={version.name}, "
            "whose champion will have it"
        ) from error
    return drift_reference.read(Path(found))


def _look(
    model: PyFuncModel,
    version: ModelVersion,
    known: drift_reference.DriftReference,
    rows: IncomingRows,
    place: Path,
    files: int,
    settings: Monitor,
    time: float,
) -> DriftReport:
    facts = model.metadata.metadata
    try:
        answered = model.predict(rows.values)
    except ValueError as error:  # the model's own sentence about a value it cannot take
        raise BadInput(f"{place}: {error}") from error
    promised = _promised(version)
    labelled = np.array([target is not None for target in rows.targets])
    metrics = _metrics(answered[labelled], rows, facts, place)
    objective = facts["objective"]
    test = None
    if objective in metrics and objective in promised:
        tested = int(version.tags["dense.test_rows"])
        test = quality(
            objective,
            direction_of(objective),
            metrics[objective],
            promised[objective],
            int(labelled.sum()),
            tested,
        )
    found = compare(
        known,
        features_of(rows.values, parse_inputs(facts["inputs"])),
        answers_of(_unlabelled(answered, facts, place)),
        settings,
        quality=test,
        classes=[str(label) for label in facts["labels"]],
    )
    return DriftReport(
        study=version.tags["dense.study"],
        model=version.name,
        version=str(version.version),
        place=str(place),
        time=time,
        rows=len(rows),
        labelled=int(labelled.sum()),
        files=files,
        tests=found.tests,
        features=found.features,
        answers=found.answers,
        shares=found.shares,
        metrics=metrics,
        promised=promised,
        alpha=settings.alpha,
        effect=settings.effect,
    )


def _unlabelled(answered: pd.DataFrame, facts: Mapping[str, Any], place: Path) -> AnyPredictions:
    """The answers where the targets do not matter."""
    labels = facts["labels"]
    return predictions_of(answered, [labels[0] if labels else 0] * len(answered), facts, place)


def _promised(version: ModelVersion) -> dict[str, Interval]:
    found = json.loads(version.tags["dense.test"])
    return {name: Interval.model_validate(each) for name, each in found.items()}


def _metrics(
    answered: pd.DataFrame, rows: IncomingRows, facts: Mapping[str, Any], place: Path
) -> dict[str, Interval]:
    """Of the rows whose target is known; none where that is nobody's."""
    targets = [target for target in rows.targets if target is not None]
    if not targets:
        return {}
    said = predictions_of(answered.reset_index(drop=True), targets, facts, place)
    section = Evaluate.model_validate(facts["config"]["evaluate"])
    wanted = [name for name in section.metrics if name not in NOT_FROM_PACKAGE]
    found = bootstrap_intervals(said, section, wanted)
    return {
        name: Interval(value=each.value, low=each.low, high=each.high)
        for name, each in found.items()
    }


def monitor_rows(home: Home, name: str, place: Path, *, again: bool) -> MonitorRun | NoNewRows:
    """A look at the rows of a place with the champion of a study, or of a registered model."""
    settings = StudyRecord.read(home, name).study.monitor if name in studies(home) else Monitor()
    uri = store.bootstrap(home)
    with store.at_work(uri, "give the command again when it answers"):
        return watch(
            store.client(uri),
            home,
            aliases.model_of(home, name),
            place,
            settings,
            time=time.time(),
            again=again,
        )
