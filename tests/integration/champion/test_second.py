"""A second answer beside the first, of tables and texts: prepared, learnt, scored, served."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.study import Study
from tasks.evaluate.evaluation import evaluate
from tasks.evaluate.predictions import Predictions, read
from tasks.packaging.benchmark import predict
from tasks.packaging.raw_rows import read_rows
from tasks.prepare import prepare
from tasks.scoring.predict import rows_of
from tasks.scoring.score_files import score_file
from tasks.train.engine.protocol import Reporter
from tasks.train.folder import TrialFolder
from tasks.train.preflight import make_ready
from tasks.train.trial.main import StopFlag, attempt
from tests.integration.champion.packed import candidate_of, packed
from tests.specs import spec_of
from tests.tiny import BAD, GOOD, PLAIN, study_of, tiny_bert


def rows(file: Path, many: int = 240) -> Path:
    """Of each row a text and two numbers, how it is meant, how loudly, and how far it is."""
    draw = random.Random(0)
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["text", "size", "other", "mood", "the tone", "far"])
        for number in range(many):
            good, loud = draw.random() < 0.5, draw.random() < 0.5
            words = draw.choices(PLAIN[:6] if loud else PLAIN[6:], k=3)
            words += draw.choices(GOOD if good else BAD, k=3)
            size, other = draw.gauss(2.0 * good, 0.5), draw.gauss(2.0 * loud, 0.5)
            tone = "" if number == 0 else "loud" if loud else "low"
            far = 50 * (size - other) + 300
            text = f"{' '.join(words)} {number}"
            writer.writerow([text, size, other, "good" if good else "bad", tone, f"{far:.3f}"])
    return file


def study(kind: str, second: dict[str, Any]) -> Study:
    """The same answers, learnt from the texts or from the numbers."""
    given: dict[str, Any] = {"name": "two", "search": {"trials": 1}, "model": {"kind": kind}}
    columns: dict[str, Any] = {"features": ["size", "other"]}
    if kind != "mlp":
        given, columns = study_of(kind=kind) if kind == "head" else study_of(), {"text": "text"}
    given |= {
        "data": {"source": "table", "path": "rows.csv", "label": "mood", "second": second,
                 **columns},
        "clean": {"duplicates": "keep"},
        "evaluate": {"objective": "accuracy", "metrics": ["accuracy", "log_loss"]},
        "train": {**given.get("train", {}), "epochs": 10, "lr": 1e-2, "batch_size": 16,
                  "class_weights": "balanced", "average": "ema", "second_weight": 0.5},
    }  # fmt: skip
    return Study.model_validate(given)


TONE = {"label": "the tone"}
FAR = {"label": "far", "task": "regression"}
TEXTS = [  # the whole of so small a network learns one answer well; what it says of both is served
    pytest.param(kind, TONE, "the_tone/accuracy", least, marks=pytest.mark.long, id=kind)
    for kind, least in (("transformer", 0.4), ("head", 0.7))
]


@pytest.mark.parametrize(
    ("kind", "second", "metric", "least"),
    [
        pytest.param("mlp", TONE, "the_tone/accuracy", 0.9, id="class"),
        pytest.param("mlp", FAR, "far/rmse", 0.0, id="number"),
        *TEXTS,
    ],
)
def test_both_are_learnt_and_served_as_they_were_scored(
    kind: str, second: dict[str, Any], metric: str, least: float, tmp_path: Path
) -> None:
    home, given = Home.open(tmp_path / "home"), study(kind, second)
    (home.path / "sources").mkdir()
    tiny_bert(home.path / "sources" / "bert")
    file = rows(home.path / "sources" / "rows.csv")
    prepared = prepare(given, home)
    make_ready(given, prepared.card, home, print)
    card, config, name = prepared.card, given.trial_config, metric.partition("/")[0]
    assert card.missing == (second is TONE), "a row without the second answer is left out"
    folder = TrialFolder(tmp_path / "trial")
    result = attempt(spec_of(config, prepared), folder, Reporter(None, 0), StopFlag())
    assert result is not None and result.outcome == "complete", result
    found = evaluate(folder.path, config)
    assert found.value == result.value == found.metrics["accuracy"].value > 0.6
    lines = folder.read_metrics()
    assert any(line.metrics[f"val/{metric}"] == found.metrics[metric].value for line in lines)
    value = found.metrics[metric].value
    assert value > least if second is TONE else value < 0.6 * card.second.target.deviation
    candidate = candidate_of(config, prepared, study="two", value=found.value, epochs=10)
    model = packed(candidate, folder.path, prepared, tmp_path / "model")
    held = read_rows(prepared.validation, card.inputs)
    said, saved = predict(model, held), read(folder.predictions)
    assert (
        said.auxiliary is not None and saved.auxiliary is not None and said.auxiliary.name == name
    )
    order = np.argsort(saved.ids)[np.searchsorted(np.sort(saved.ids), said.ids)]
    for mine, theirs in ((said, saved), (said.auxiliary.predictions, saved.auxiliary.predictions)):
        np.testing.assert_allclose(mine.targets, theirs.targets[order], rtol=1e-6)
        is_class = isinstance(mine, Predictions)
        what = "probabilities" if is_class else "predictions"
        wanted = getattr(theirs, what)[order]
        np.testing.assert_allclose(getattr(mine, what), wanted, atol=1e-4, rtol=1e-4)
    _of_a_file(model, file, held.ids, {"accuracy": found.value, metric: value})


def _of_a_file(model: Any, file: Path, ids: np.ndarray, values: dict[str, float]) -> None:
    """The answers for a file's rows, and what they are worth there."""
    part = file.with_name("part.csv")
    frame = pd.read_csv(file).iloc[ids]
    frame.to_csv(part, index=False)
    answers = model.predict(rows_of(model, part)[0])
    name = next(metric for metric in values if "/" in metric).partition("/")[0]
    own = [column for column in answers if column.startswith(f"{name}/")]
    number = [f"{name}/prediction"]
    assert own == (
        number if name == "far" else [f"{name}/label", f"{name}/p_loud", f"{name}/p_low"]
    )
    scored = score_file(model, part).metrics
    assert {metric: scored[metric].value for metric in values} == pytest.approx(values, rel=1e-4)
    frame.drop(columns=["the tone", "far"]).to_csv(part, index=False)
    with pytest.raises(BadInput, match=r"no column '(the tone|far)' for the targets"):
        score_file(model, part)
