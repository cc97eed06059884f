"""A real table with columns of words, from the file to the answers about another file."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.data
import pytest

from conf.loading.trial_values import apply_values
from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.study import Study
from data.card import parse_inputs
from tasks.evaluate.evaluation import evaluate
from tasks.evaluate.predictions import read
from tasks.monitor.incoming import read_rows as incoming
from tasks.packaging.benchmark import latencies, predict
from tasks.packaging.drift_reference import build
from tasks.packaging.raw_rows import read_rows
from tasks.prepare import Prepared, prepare
from tasks.scoring.predict import rows_of
from tasks.scoring.score_files import score_file
from tasks.train.engine.protocol import Reporter
from tasks.train.folder import TrialFolder
from tasks.train.trial.main import StopFlag, attempt
from tests.integration.champion.packed import candidate_of, packed
from tests.specs import spec_of

FOREIGN = """
import importlib.util, json, sys
sys.path.append(sys.argv[1])
assert importlib.util.find_spec("data") is None and importlib.util.find_spec("tasks") is None
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[2])
print(json.dumps(model.predict(pd.read_csv(sys.argv[3]))["prediction"].tolist()))
"""


@pytest.fixture(scope="module")
def tips() -> pd.DataFrame:
    """What guests paid in a restaurant: two numbers and four columns of words."""
    found = plotly.data.tips(return_type="pandas")
    found.loc[::9, "smoker"] = None
    return found


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, tips: pd.DataFrame) -> Prepared:
    folder = tmp_path_factory.mktemp("tips")
    tips.to_csv(folder / "tips.csv", sep=";", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENSE_DATA", str(folder))
        return prepare(STUDY, Home.open(folder / "home"))


STUDY = Study.model_validate(
    {
        "name": "tips",
        "data": {
            "source": "table", "path": "tips.csv", "separator": ";", "label": "tip",
            "task": "regression", "words": {"rare": 15},
        },
        "clean": {"missing": "median"},
        "split": {"by": "random"},
        "augment": {"jitter": {"deviation": 0.05}},
        "model": {"kind": "mlp", "width": 8},
        "train": {"epochs": 12, "batch_size": 16, "lr": 0.01},
        "evaluate": {"objective": "rmse", "metrics": ["rmse", "r2"]},
        "search": {"trials": 1},
    }
)  # fmt: skip


@pytest.mark.parametrize("kind", [pytest.param("mlp", marks=pytest.mark.long), "knn"])
def test_it_is_trained_and_answers_files_with_words(
    kind: str, prepared: Prepared, tips: pd.DataFrame, tmp_path: Path
) -> None:
    folder, config = TrialFolder(tmp_path), apply_values(STUDY.trial_config, {"model.kind": kind})
    found = attempt(spec_of(config, prepared), folder, Reporter(None, 0), StopFlag())
    assert found is not None and found.outcome == "complete", found
    scores = evaluate(folder.path, config)
    assert scores.metrics["r2"].value > 0.2
    candidate = candidate_of(config, prepared, study="tips", value=scores.value)
    model = packed(candidate, folder.path, prepared, tmp_path / "model")
    inputs = prepared.card.inputs
    rows = read_rows(prepared.validation, inputs)
    said, saved = predict(model, rows), read(folder.predictions)
    np.testing.assert_allclose(said.predictions, saved.predictions, rtol=1e-5)
    assert latencies(model, rows.values)[32].p50 > 0
    # The very rows of the file, as they are: other columns, words unknown and missing.
    file = tmp_path / "validation.csv"
    as_given = tips.iloc[rows.ids].assign(extra="x")
    as_given.to_csv(file, sep=";", index=False)
    asked, _ = rows_of(model, file)
    answers = model.predict(asked)["prediction"]
    np.testing.assert_allclose(answers, saved.predictions, rtol=1e-4)
    assert score_file(model, file).metrics["rmse"].value == pytest.approx(scores.value, rel=1e-4)
    new = incoming(model, tmp_path, ["validation.csv"])
    assert len(new) == len(rows.ids) and float(new.targets[0]) == as_given["tip"].iloc[0]
    facts = parse_inputs(model.metadata.metadata["inputs"])  # which have been a file in between
    kept, now = build([rows.values], inputs, None).features, build([new.values], facts, None)
    np.testing.assert_allclose(kept.values, now.features.values, rtol=1e-5)
    if kind == "mlp":
        _without_the_project(tmp_path, as_given.assign(day="Monday"))


def _without_the_project(folder: Path, rows: pd.DataFrame) -> None:
    """A word that nobody has seen is answered, by a process that cannot import this project."""
    rows.to_csv(folder / "new.csv", index=False)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", FOREIGN, sysconfig.get_paths()["purelib"],
         str(folder / "model"), str(folder / "new.csv")],
        check=True, cwd=folder, timeout=120, capture_output=True, text=True,
    )  # fmt: skip
    answers = json.loads(done.stdout.splitlines()[-1])
    assert len(answers) == len(rows) and np.isfinite(answers).all()


def test_rare_and_missing_words_have_inputs_of_their_own(prepared: Prepared) -> None:
    assert prepared.card.inputs.levels == {
        "sex": ("Female", "Male"),
        "smoker": ("No", "Yes", "(missing)"),
        "day": ("Sat", "Sun", "Thur", "(other)"),
        "time": ("Dinner", "Lunch"),
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("size;sex\n1;Male\n", "column 'total_bill' is missing", id="column"),
        pytest.param("total_bill;size;sex;smoker;day;time\n", "no rows", id="empty"),
    ],
)
def test_other_files_are_refused(
    content: str, message: str, prepared: Prepared, tmp_path: Path
) -> None:
    from tasks.packaging.table_frame import read_frame

    (tmp_path / "bad.csv").write_text(content)
    with pytest.raises(BadInput, match=message):
        read_frame(tmp_path / "bad.csv", prepared.card.inputs, {"separator": ";"})
