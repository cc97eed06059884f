"""A study over families of estimators and a network: trials, winner, and what is served."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conf.loading.trial_values import apply_values
from conf.runtime.errors import BadInput, DenseError
from conf.runtime.home import Home
from conf.schema.study import Study
from models.estimators.skops_io import same_estimators
from tasks.evaluate.evaluation import evaluate
from tasks.evaluate.predictions import Predictions, read
from tasks.packaging.benchmark import load, predict
from tasks.packaging.pack import pack
from tasks.packaging.packer import PackJob
from tasks.packaging.raw_rows import read_rows
from tasks.prepare import Prepared, prepare
from tasks.scoring.rehearsal import rehearse_serving
from tasks.train.engine.protocol import Reporter
from tasks.train.engine.retention import keep_weights
from tasks.train.folder import TrialFolder
from tasks.train.spec import Result
from tasks.train.trial.main import StopFlag, attempt
from tests.integration.champion.packed import answered_alone, candidate_of, check_package
from tests.specs import spec_of

STUDY = Study.model_validate(
    {
        "name": "wines",
        "data": {"source": "builtin", "name": "wine"},
        "augment": {"jitter": {"deviation": 0.05}},
        "model": {"kind": "random_forest", "trees": 20},
        "train": {"epochs": 7, "batch_size": 32},
        "evaluate": {"objective": "accuracy", "metrics": ["accuracy", "log_loss", "roc_auc"]},
        "search": {"trials": 1},
    }
)
KINDS = ("random_forest", "gradient_boosting", "svm", "knn", "linear")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(STUDY, Home.open(tmp_path_factory.mktemp("home")))


def trained(prepared: Prepared, path: Path, study: Study = STUDY, **values: str) -> Result:
    config = apply_values(study.trial_config, {f"model.{k}": v for k, v in values.items()})
    spec = spec_of(config, prepared)
    found = attempt(spec, TrialFolder(path), Reporter(None, 0), StopFlag())
    assert found is not None
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_trial_keeps_the_contract(kind: str, prepared: Prepared, tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path / "a")
    result = trained(prepared, folder.path, kind=kind)
    assert (result.outcome, result.epochs, result.best_epoch) == ("complete", 1, 1)
    for name, fact in result.files.items():
        assert (folder.path / name).stat().st_size == fact.size
    config = apply_values(STUDY.trial_config, {"model.kind": kind})
    found = evaluate(folder.path, config)
    assert found.value == result.value == folder.read_metrics()[0].metrics["val/accuracy"]
    assert found.value > 0.85
    again = trained(prepared, tmp_path / "b", kind=kind)
    assert again.files["predictions.parquet"] == result.files["predictions.parquet"]
    assert same_estimators(folder.estimator, TrialFolder(tmp_path / "b").estimator)
    result.write(folder.path)
    assert keep_weights([folder], keep=1) == []
    assert keep_weights([folder], keep=0) == [folder.estimator]


def test_all_rows_are_learnt_from_however_short_the_epochs_of_networks(
    prepared: Prepared, tmp_path: Path
) -> None:
    short = STUDY.train.model_copy(update={"steps_per_epoch": 1})
    brief = STUDY.model_copy(update={"train": short})
    few, all_ = (
        trained(prepared, tmp_path / study.name / str(number), study, kind="knn")
        for number, study in enumerate((brief, STUDY))
    )
    assert few.files["predictions.parquet"] == all_.files["predictions.parquet"]


def test_blended_labels_are_refused(prepared: Prepared, tmp_path: Path) -> None:
    blended = STUDY.model_copy(
        update={"augment": STUDY.augment.model_validate({"mixup": {"alpha": 0.4}})}
    )
    result = trained(prepared, tmp_path, blended)
    assert (result.outcome, "augment.mixup" in result.message) == ("failed", True)


@pytest.fixture(scope="module")
def package(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A champion as it is served; what its trial predicted lies beside it."""
    folder = TrialFolder(tmp_path_factory.mktemp("packed") / "final")
    trained(prepared, folder.path)
    config = STUDY.trial_config
    candidate = candidate_of(config, prepared, study="wines", value=0.9)
    found = folder.path.parent / "model"
    pack(PackJob(candidate, folder.path, prepared.card, prepared.train), found)
    check_package(candidate, folder.path, prepared, found)
    return found


def test_the_champion_answers_as_its_trial_did(package: Path, prepared: Prepared) -> None:
    rows = read_rows(prepared.validation, prepared.card.inputs)
    said = predict(load(package), rows)
    saved = read(TrialFolder(package.parent / "final").predictions)
    assert isinstance(said, Predictions) and isinstance(saved, Predictions)
    np.testing.assert_array_equal(said.probabilities, saved.probabilities)


def test_serving_is_rehearsed_on_a_trial_that_has_trained(
    prepared: Prepared, tmp_path: Path
) -> None:
    folder = TrialFolder(tmp_path / "trial")
    trained(prepared, folder.path)
    candidate = candidate_of(STUDY.trial_config, prepared, study="wines")
    rehearse_serving(candidate, prepared, folder.path, threads=1, seconds=120)
    folder.estimator.write_bytes(b"damaged")
    with pytest.raises(DenseError):
        rehearse_serving(candidate, prepared, folder.path, threads=1, seconds=120)


@pytest.mark.long
def test_the_champion_answers_without_the_project(
    package: Path, prepared: Prepared, tmp_path: Path
) -> None:
    rows = read_rows(prepared.validation, prepared.card.inputs)
    said = predict(load(package), rows)
    assert isinstance(said, Predictions)
    answers = answered_alone(package, rows.values.tolist(), tmp_path)
    np.testing.assert_array_equal(answers, said.probabilities)


def test_other_data_are_refused_before_anything_runs(tmp_path: Path) -> None:
    from tasks.train.preflight import check_kinds

    with pytest.raises(BadInput, match="random_forest does not take data of kind image"):
        check_kinds(STUDY, "image")
