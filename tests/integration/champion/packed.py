"""A trial's training as a champion's package, without the way that a champion takes."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.pyfunc import PyFuncModel
from numpy.typing import NDArray

from conf.loading.digests import trial_digest
from conf.schema.study import TrialConfig
from tasks.packaging.benchmark import generate, load, predict
from tasks.packaging.pack import pack
from tasks.packaging.packer import PackJob
from tasks.packaging.raw_rows import read_rows
from tasks.packaging.records import Candidate, EnsembleMember
from tasks.prepare import Prepared
from tasks.scoring.score_request import ScoreRequest
from tasks.scoring.served_check import check_served

FOREIGN = """
import importlib.util, json, sys
sys.path.append(sys.argv[1])
assert importlib.util.find_spec("tasks") is None
import pickle, mlflow, numpy as np
def refuse(*_, **__):
    raise AssertionError("a pickle was read")
pickle.load = pickle.loads = refuse
model, rows = mlflow.pyfunc.load_model(sys.argv[2]), json.load(open(sys.argv[3]))
said = model.predict(rows if isinstance(rows[0], str) else np.array(rows))
print(json.dumps(said.filter(regex="^p_").to_numpy().tolist()))
"""


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
    pack(PackJob(candidate, folder, prepared.card, prepared.train), package)
    check_package(candidate, folder, prepared, package)
    return load(package)


def check_package(
    candidate: Candidate,
    folder: Path,
    prepared: Prepared,
    package: Path,
    *,
    members: Sequence[EnsembleMember] = (),
    recipe: Any = None,
) -> None:
    """Compare a package with its training on the validation split, as the scoring process
    does before registration."""
    card = prepared.card
    request = ScoreRequest(
        candidate=candidate,
        folder=folder,
        out=package.parent,
        card=prepared.card_path,
        train=prepared.train,
        test=prepared.validation,
        members=tuple(members),
        recipe=recipe,
    )
    rows, model = read_rows(prepared.validation, card.inputs), load(package)
    predictions = generate(model, rows) if card.inputs.kind == "pairs" else predict(model, rows)
    check_served(predictions, model, request, card)


def answered_alone(package: Path, rows: list[Any], folder: Path) -> NDArray[np.float32]:
    """The probabilities that a package gives for raw rows where this project is not installed and
    a pickle cannot be read."""
    file = folder / "rows.json"
    file.write_text(json.dumps(rows), encoding="utf-8")
    site = sysconfig.get_paths()["purelib"]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", FOREIGN, site, str(package), str(file)],
        check=True, cwd=folder, timeout=120, capture_output=True, text=True,
    )  # fmt: skip
    return np.array(json.loads(done.stdout.splitlines()[-1]), dtype=np.float32)
