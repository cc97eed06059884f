"""A study of several labels a row, the whole way: gate, alias, recipes, and the watch after."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from conf.runtime.home import Home
from conf.schema.champion import Compress, Monitor
from conf.schema.study import Study
from tasks.champion.context import ChampionContext
from tasks.champion.pipeline import run_champion_step
from tasks.compress.compress import compress
from tasks.monitor.runs import MonitorRun
from tasks.monitor.watch import watch
from tasks.prepare import prepare
from tasks.study.reader import StudyRecord
from tasks.track import store
from tasks.train.engine.local import LocalEngine
from tests.integration.champion.study import note_into, run_trials
from tests.integration.champion.test_labels import rows, study

GATE = {
    "minimum": {"f1_macro": 0.6, "hamming_loss": 0.3},
    "class_recall": 0.3,
    "invariance": 0.6,
    "behaviour": {"pushes": [{"column": "size", "by": 1, "of": "good", "least": 0.9}]},
}


def told(file: Path, *, wrongly: bool) -> Path:
    """The same rows with the labels that the model knows, or with just those that they have not."""
    with file.open(newline="") as source:
        found = list(csv.DictReader(source))
    path = file.with_name(f"told-{wrongly}.csv")
    with path.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(found[0]))
        writer.writeheader()
        for row in found:
            names = [name for name in ("good", "bad") if (name in row["labels"]) != wrongly]
            writer.writerow({**row, "labels": "; ".join(names)})
    return path


@pytest.mark.long
def test_it_is_let_through_made_small_and_watched(
    home: Home, with_mlflow: Callable[[Home], Home]
) -> None:
    with_mlflow(home)
    with LocalEngine(home, slots=1) as engine:
        proven(home, engine)


def proven(home: Home, engine: LocalEngine) -> None:
    """The whole way."""
    given = study("mlp").model_dump(mode="json")
    given |= {"augment": {"jitter": {"deviation": 0.05}}, "champion": {"gate": GATE}}
    labels = Study.model_validate(given)
    (home.path / "sources").mkdir()
    file = rows(home.path / "sources" / "rows.csv")
    prepared = prepare(labels, home)
    record = run_trials(home, labels, prepared, engine, [{"model.width": 64}, {"model.width": 8}])
    client = store.client(store.bootstrap(home))
    client.create_experiment(labels.name, artifact_location=(home.artifacts / "labels").as_uri())
    context = ChampionContext(record, prepared, engine.run, client, note_into(home, labels))
    champion = run_champion_step(context)
    assert champion is not None and champion.decision.verdict == "crown", champion
    rules = {reason.rule for reason in champion.decision.reasons}
    assert {"minimum", "class_recall", "invariance", "behaviour"} <= rules
    record = StudyRecord.read(home, labels.name)
    recipes = Compress(loss=0.5, recipes=("int8", "onnx", "narrow", "distill"), student=0.999)
    small = compress(client, record, recipes, engine.run)
    assert len(small.tradeoff.rows) == 5 and all(row.within for row in small.tradeoff.rows)
    quiet = watch(client, home, labels.name, told(file, wrongly=False), Monitor(), time=1.0)
    assert isinstance(quiet, MonitorRun) and "quality" not in raised(quiet)
    loud = watch(client, home, labels.name, told(file, wrongly=True), Monitor(), time=2.0)
    assert isinstance(loud, MonitorRun) and raised(loud) == {"quality"}


def raised(found: MonitorRun) -> set[str]:
    """The tests that gave the alarm."""
    return {test.name for test in found.look.tests if test.raised}
