"""Trials as one model: packed, served where this project is absent, registered, judged."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient

from conf.loading.digests import trial_digest
from conf.loading.load import load_study
from conf.loading.trial_values import apply_values
from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.study import Study
from tasks.champion.context import ChampionContext
from tasks.ensemble.build import ALIAS, EnsembleResult, build
from tasks.evaluate.ensemble_selection import weighted_mean
from tasks.evaluate.evaluation import PREDICTIONS
from tasks.evaluate.predictions import NumberPredictions, Predictions, read
from tasks.packaging.benchmark import load, predict
from tasks.packaging.pack import pack
from tasks.packaging.packer import PackJob
from tasks.packaging.raw_rows import read_rows
from tasks.packaging.records import Candidate, EnsembleMember
from tasks.prepare import Prepared, prepare
from tasks.registry import aliases
from tasks.study.reader import StudyRecord
from tasks.track import store
from tasks.train.engine.local import LocalEngine
from tasks.train.engine.outcome import Outcome
from tasks.train.engine.protocol import Reporter
from tasks.train.folder import TrialFolder
from tasks.train.spec import TrialSpec
from tasks.train.trial.main import StopFlag, attempt
from tests.integration.champion.packed import check_package
from tests.integration.champion.study import opened, run_trials, small_study
from tests.specs import spec_of


def member(
    study: Study, prepared: Prepared, path: Path, number: int, **values: Any
) -> EnsembleMember:
    """A trained member; members weigh 3 to 1."""
    config = apply_values(study.trial_config, {f"model.{k}": v for k, v in values.items()})
    folder = TrialFolder(path / str(number))
    result = attempt(spec_of(config, prepared), folder, Reporter(None, 0), StopFlag())
    assert result is not None and result.outcome == "complete", result
    return EnsembleMember(
        number=number,
        digest=trial_digest(config),
        config=config,
        folder=str(folder.path),
        weight=(0.75, 0.25)[number],
    )


def test_members_of_any_kind_answer_as_one(tmp_path: Path) -> None:
    study = load_study("diabetes", ["train.epochs=3"])
    prepared = prepare(study, Home.open(tmp_path / "home"))
    members = [
        member(study, prepared, tmp_path, 0, kind="svm"),
        member(study, prepared, tmp_path, 1, kind="mlp"),
    ]
    config = study.trial_config
    candidate = Candidate(
        study="diabetes", study_digest="0" * 64, data=prepared.key, number=0, digest="e" * 64,
        config=config, value=50.0, epochs=3, seed=1,
    )  # fmt: skip
    package = tmp_path / "together" / "model"
    job = PackJob(candidate, tmp_path, prepared.card, prepared.train, members=tuple(members))
    pack(job, package)
    check_package(candidate, tmp_path, prepared, package, members=members)
    rows = read_rows(prepared.validation, prepared.card.inputs)
    saved = [read(Path(each.folder) / PREDICTIONS) for each in members]
    wanted = weighted_mean(saved, [each.weight for each in members])  # type: ignore[arg-type]
    said = predict(load(package), rows)
    assert isinstance(said, NumberPredictions)
    np.testing.assert_allclose(said.predictions, wanted.predictions, rtol=1e-5)
    assert not list(package.parent.glob(".*"))  # nothing of the packing is left


LOSS = {
    "evaluate": {"objective": "log_loss", "metrics": ["log_loss", "accuracy"]},
    "model": {"kind": "cnn", "width": 8},
}
TRIALS = [{"train.lr": 3e-3}, {"train.lr": 1e-2}, {"train.lr": 2e-2}]


@pytest.fixture
def engine(home: Home) -> Iterator[LocalEngine]:
    with LocalEngine(home, slots=1) as engine:
        yield engine


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_ensemble_of_a_study_is_registered_and_reproducible(
    home: Home, engine: LocalEngine, with_mlflow: Callable[[Home], Home]
) -> None:
    with_mlflow(home)
    study = small_study(**LOSS)
    prepared = prepare(study, home)
    record = run_trials(home, study, prepared, engine, TRIALS)
    uri = store.bootstrap(home)
    client = store.client(uri)
    client.create_experiment(study.name, artifact_location=(home.artifacts / "digits").as_uri())
    trained: list[int] = []

    def run(spec: TrialSpec, folder: Path) -> Outcome:
        trained.append(spec.number)
        return engine.run(spec, folder)

    context = ChampionContext(record, prepared, run, client)
    first = build(context)
    assert isinstance(first, EnsembleResult) and len(first.members) > 1 and not trained
    assert first.value == first.selection.value < first.selection.single
    version = aliases.aliased(client, "digits", ALIAS)
    assert version is not None and str(version.version) == first.registered.version
    assert json.loads(version.tags["dense.members"]).keys() == {
        str(each.number) for each in first.members
    }
    assert aliases.aliased(client, "digits") is None
    _answers_as_scored(client, home, first)

    for each in first.members:  # gone, and trained again to the bit
        shutil.rmtree(Path(each.folder) / "checkpoints")
    shutil.rmtree(next(home.trials("digits").glob("champion-*")))
    again = build(context)
    assert (
        isinstance(again, EnsembleResult) and trained and sorted(trained) == sorted(again.retrained)
    )
    assert not again.differing and again.value == first.value
    assert again.score.metrics == first.score.metrics
    assert again.registered == first.registered

    _the_gate_is_asked(home, client, prepared, run)


FOREIGN = """
import importlib.util, json, sys
sys.path.append(sys.argv[1])
assert importlib.util.find_spec("tasks") is None
import mlflow, numpy as np
model = mlflow.pyfunc.load_model(sys.argv[2])
print(json.dumps(model.predict(np.load(sys.argv[3])).filter(regex="^p_").to_numpy().tolist()))
"""


def _answers_as_scored(client: MlflowClient, home: Home, built: EnsembleResult) -> None:
    import mlflow
    from sklearn.datasets import load_digits

    mlflow.set_tracking_uri(f"sqlite:///{home.mlflow_database}")
    model = mlflow.pyfunc.load_model("models:/digits@ensemble")
    answers = model.predict(load_digits().images[:50])
    assert (answers["label"] == load_digits().target[:50]).mean() > 0.8
    assert answers.filter(regex="^p_").sum(axis=1).to_numpy() == pytest.approx(np.ones(50))
    path = client.download_artifacts(built.registered.run_id, "test/predictions.parquet")
    assert isinstance(read(Path(path)), Predictions)
    np.save(home.path / "rows.npy", load_digits().images[:5])
    package = client.download_artifacts(built.registered.run_id, "model")
    done = subprocess.run(  # and where the project is absent
        [sys.executable, "-I", "-S", "-c", FOREIGN, sysconfig.get_paths()["purelib"],
         str(package), str(home.path / "rows.npy")],
        check=True, cwd=home.path, timeout=120, capture_output=True, text=True,
    )  # fmt: skip
    there = np.array(json.loads(done.stdout.splitlines()[-1]))
    np.testing.assert_allclose(there, answers.filter(regex="^p_").to_numpy()[:5], atol=1e-6)


def _the_gate_is_asked(home: Home, client: MlflowClient, prepared: Prepared, run: Any) -> None:
    client.delete_registered_model_alias("digits", ALIAS)
    strict = small_study(**LOSS, champion={"gate": {"minimum": {"accuracy": 1.0}}})
    with opened(home, strict):
        pass
    record = StudyRecord.read(home, "digits")
    refused = build(ChampionContext(record, prepared, run, client))
    assert isinstance(refused, EnsembleResult) and refused.decision.verdict == "refused"
    assert aliases.aliased(client, "digits", ALIAS) is None
    tags = client.get_model_version("digits", refused.registered.version).tags
    assert tags["dense.verdict"] == "refused" and "failed minimum" in tags["dense.reasons"]


def test_a_study_without_two_complete_trials_is_refused(home: Home) -> None:
    study = small_study()
    with opened(home, study):
        pass
    unused: Any = None
    with pytest.raises(BadInput, match="needs two complete trials of 'digits'"):
        build(ChampionContext(StudyRecord.read(home, "digits"), unused, unused, unused))
