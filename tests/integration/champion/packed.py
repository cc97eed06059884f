"""A trial's training as a champion's package, without the way that a champion takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlflow.pyfunc import PyFuncModel

from conf.identity import trial_digest
from conf.study import TrialConfig
from tasks.champion.measure import load
from tasks.champion.pack import pack
from tasks.champion.records import Candidate
from tasks.prepare import Prepared


def candidate_of(config: TrialConfig, prepared: Prepared, **fields: Any) -> Candidate:
    """Trial 0 of some study, as if it had won; keywords replace fields."""
    given = {
        "study": "none",
        "study_digest": "0" * 64,
        "data": prepared.key,
        "number": 0,
        "digest": trial_digest(config),
        "config": config,
        "value": 1.0,
        "epochs": 1,
        "seed": 1,
    }
    return Candidate.model_validate({**given, **fields})


def packed(candidate: Candidate, folder: Path, prepared: Prepared, package: Path) -> PyFuncModel:
    """The package of a training, written and loaded as any user of the registry loads it."""
    pack(candidate, folder, prepared.card_path, prepared.train, package)
    return load(package)
