"""One trained and scored final model for all tests of this folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from conf.loading.digests import study_digest
from conf.runtime.home import Home
from conf.schema.study import Study
from tasks.champion.training import train
from tasks.packaging.records import Candidate, FinalScore
from tasks.prepare import Prepared, prepare, test_path
from tasks.scoring.final_training import final_folder, final_seed, final_spec
from tasks.scoring.test_score import score
from tasks.train.engine.local import LocalEngine
from tasks.train.spec import TrialSpec
from tests.integration.champion.packed import candidate_of


@dataclass(frozen=True)
class Scored:
    """A final model that was trained and scored, and everything it came from."""

    home: Home
    study: Study
    prepared: Prepared
    candidate: Candidate
    folder: Path
    score: FinalScore


def trial_folder(home: Home, candidate: Candidate) -> Path:
    """Of the trial that won."""
    return home.trial(candidate.study, candidate.number, candidate.digest)


def trial_spec(candidate: Candidate, prepared: Prepared) -> TrialSpec:
    """Of the trial that won: trained on the training part alone."""
    return TrialSpec(
        study=candidate.study,
        number=candidate.number,
        digest=candidate.digest,
        config=candidate.config,
        seed=1,
        train=str(prepared.train),
        validation=str(prepared.validation),
        card=str(prepared.card_path),
        until=candidate.epochs,
    )


@pytest.fixture(scope="session")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    home = Home.open(tmp_path_factory.mktemp("champion") / "home")
    study = Study.model_validate({"name": "digits", "train": {"epochs": 3, "lr": 0.01}})
    prepared = prepare(study, home)
    candidate = candidate_of(
        study.trial_config,
        prepared,
        study=study.name,
        study_digest=study_digest(study),
        value=0.9,
        epochs=3,
        seed=final_seed(study.seed, 3),
    )
    folder = final_folder(home, candidate)
    away = test_path(prepared).rename(home.path / "away")  # whoever reads it now, fails
    with LocalEngine(home, slots=1) as engine:
        outcome = train(engine.run, final_spec(candidate, prepared, study.resources), folder)
        trial = engine.run(trial_spec(candidate, prepared), trial_folder(home, candidate))
    assert (outcome.outcome, trial.outcome) == ("complete", "complete"), (outcome, trial)
    away.rename(test_path(prepared))
    taken = score(candidate, prepared, folder, seconds=120, explain=2)
    return Scored(home, study, prepared, candidate, folder, taken)


@pytest.fixture(scope="session")
def images() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's own digits, as they come: float64 0-16."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return digits.images, digits.target
