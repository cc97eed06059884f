"""Numbers instead of classes: prepared, trained, scored and served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conf.loading.load import load_study
from conf.loading.trial_values import apply_values
from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.behaviour import Push
from tasks.champion.behaviour import BehaviourRequest, run_tests
from tasks.evaluate.evaluation import evaluate
from tasks.evaluate.predictions import NumberPredictions, read
from tasks.explain.explain import Subject, explain
from tasks.packaging.benchmark import predict
from tasks.packaging.explanations import read_explained
from tasks.packaging.model_card import model_card
from tasks.packaging.raw_rows import read_rows
from tasks.packaging.records import Decision, FinalScore
from tasks.prepare import Prepared, prepare
from tasks.scoring.score_files import predictions_of, score_file
from tasks.train.engine.protocol import Reporter
from tasks.train.folder import TrialFolder
from tasks.train.spec import Result
from tasks.train.trial.main import StopFlag, attempt
from tests.integration.champion.packed import candidate_of, packed
from tests.specs import spec_of

STUDY = load_study("diabetes", ["model.rounds=30", "train.epochs=30"])


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(STUDY, Home.open(tmp_path_factory.mktemp("home")))


def trained(prepared: Prepared, path: Path, values: dict[str, Any]) -> Result:
    config = apply_values(STUDY.trial_config, values)
    spec = spec_of(config, prepared)
    found = attempt(spec, TrialFolder(path), Reporter(None, 0), StopFlag())
    assert found is not None and found.outcome == "complete", found
    return found


def test_the_card_says_how_the_numbers_lie(prepared: Prepared) -> None:
    card = prepared.card
    rows = read_rows(prepared.train, card.inputs)
    assert card.classes == () and card.counts["train"] == {}
    assert card.target.mean == pytest.approx(rows.targets.mean())
    assert (card.target.low, card.target.high) == (
        rows.targets.min(),
        rows.targets.max(),
    )


@pytest.mark.parametrize(
    "kind",
    [
        "svm",
        "mlp",
        *(
            pytest.param(k, marks=pytest.mark.long)
            for k in ("gradient_boosting", "random_forest", "knn")
        ),
    ],
)
def test_every_family_learns_and_is_served_as_it_was_scored(
    kind: str, prepared: Prepared, tmp_path: Path
) -> None:
    values = {"model.kind": kind} | ({"train.average": "ema"} if kind == "mlp" else {})
    folder, config = TrialFolder(tmp_path), apply_values(STUDY.trial_config, values)
    result = trained(prepared, folder.path, values)
    found = evaluate(folder.path, config)
    assert found.value == result.value
    assert found.metrics["r2"].value > 0.3 and found.metrics["r2"].low < found.metrics["r2"].value
    candidate = candidate_of(
        config, prepared, study="diabetes", value=found.value, epochs=result.epochs
    )
    model = packed(candidate, folder.path, prepared, tmp_path / "model")
    rows = read_rows(prepared.validation, prepared.card.inputs)
    said, saved = predict(model, rows), read(folder.predictions)
    assert isinstance(said, NumberPredictions) and isinstance(saved, NumberPredictions)
    np.testing.assert_allclose(said.predictions, saved.predictions, rtol=1e-5)
    if kind == "mlp":
        request = BehaviourRequest(
            model=tmp_path / "model",
            rows=prepared.validation,
            inputs=prepared.card.inputs,
            pairs=(),
            share=1.0,
            pushes=(Push(column="bmi", by=0.05), Push(column="bmi", by=-0.05)),
        )
        up, down = run_tests(request).results
        assert up.share > 0.5 > down.share  # a higher body mass index, a worse disease later
        parts = prepared.train.parent
        explain(Subject(candidate, prepared.card, tmp_path, parts, model, rows, said), 2)
        why = read_explained(tmp_path)
        assert why is not None and not why.why_not and len(why.examples) == 4
        assert {"bmi", "s5"} & {each.name for each in why.columns[:3]} and why.columns[0].loss > 0
        assert all(len(each.pieces) == 6 for each in why.examples)
        names = prepared.card.inputs.names
        lines = [",".join(map(str, [*row, y])) for row, y in zip(rows.values, rows.targets)]  # noqa: B905
        file = tmp_path / "new.csv"
        file.write_text("\n".join([",".join([*names, "label"]), *lines]) + "\n")
        scored = score_file(model, file)
        assert scored.metrics["rmse"].value == pytest.approx(found.metrics["rmse"].value, rel=1e-5)


def test_a_model_card_speaks_of_numbers(prepared: Prepared) -> None:
    config = STUDY.trial_config
    candidate = candidate_of(config, prepared, study="diabetes", value=60.0)
    score = FinalScore.model_construct(
        rows=88, metrics={}, signatures={}, recall={}, invariance=None, size_mb=1.0, latency={}
    )
    text = model_card(candidate, score, Decision.model_construct(reasons=()), prepared.card, "d")
    assert "predicts a number" in text and "column `prediction`" in text


def test_a_target_that_is_no_number_is_refused() -> None:
    import pandas as pd

    with pytest.raises(BadInput, match="'much' is not a number"):
        predictions_of(
            pd.DataFrame({"prediction": [1.0]}), ["much"], {"labels": []}, Path("new.csv")
        )
