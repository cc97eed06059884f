"""Texts in a script of their own, learnt from scratch: prepared, trained, scored, explained and
served where this project's encoding is all that is known of them."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from conf.runtime.home import Home
from conf.schema.study import Study
from tasks.evaluate.evaluation import evaluate
from tasks.evaluate.predictions import LabelPredictions, Predictions, read
from tasks.explain.explain import Subject, explain
from tasks.packaging.benchmark import predict
from tasks.packaging.explanations import read_explained
from tasks.packaging.raw_rows import read_rows
from tasks.prepare import prepare
from tasks.scoring.predict import rows_of
from tasks.train.engine.protocol import Reporter
from tasks.train.folder import TrialFolder
from tasks.train.preflight import make_ready
from tasks.train.trial.main import StopFlag, attempt
from tests.integration.champion.packed import answered_alone, candidate_of, packed
from tests.specs import spec_of

GOOD, BAD, PLAIN = "好喜欢棒美", "差坏烂糟丑", "这个电影书店东西的了是我们他在有"
DATA: dict[str, Any] = {"source": "table", "path": "rows.csv", "text": "text"}
WAYS = {
    "classes": {**DATA, "label": "mood"},
    "labels": {**DATA, "label": "both", "task": "multilabel"},
    "second": {**DATA, "label": "mood", "second": {"label": "place"}},
}


def rows(file: Path, many: int = 240) -> Path:
    """Texts without spaces, some longer than is read: how they are meant, where they were said."""
    draw = random.Random(0)
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["text", "mood", "place", "both"])
        for number in range(many):
            good, far = draw.random() < 0.4, draw.random() < 0.5
            letters = draw.choices(PLAIN, k=draw.randint(3, 12)) + draw.choices(
                "远" if far else "近"
            )
            letters += draw.choices(GOOD if good else BAD, k=3)
            draw.shuffle(letters)
            long = "这" * 40 if number % 20 == 0 else ""
            labels = ["good"] * good + ["far"] * far
            writer.writerow(["".join(letters) + f"{number}{long}", "good" if good else "bad",
                             "far" if far else "near", "|".join(labels)])  # fmt: skip
    return file


MODELS: dict[str, dict[str, Any]] = {
    "text_cnn": {"width": 16, "dropout": 0.1},
    "linear": {"c": 10.0, "longest": 2},
}


@pytest.mark.parametrize(
    ("kind", "way"),
    [
        ("text_cnn", "classes"),
        ("linear", "classes"),
        pytest.param("text_cnn", "labels", marks=pytest.mark.long),
        pytest.param("text_cnn", "second", marks=pytest.mark.long),
        pytest.param("linear", "labels", marks=pytest.mark.long),
    ],
)
def test_it_is_learnt_and_served_as_it_was_scored(kind: str, way: str, tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")
    (home.path / "sources").mkdir()
    file = rows(home.path / "sources" / "rows.csv")
    given = Study.model_validate(
        {
            "name": "zh",
            "data": WAYS[way],
            "clean": {"text": {"vocabulary": 400, "tokens": 24}},
            "augment": {"delete": {"share": 0.1}},
            "model": {"kind": kind, **MODELS[kind]},
            "train": {
                "epochs": 8,
                "lr": 2e-2,
                "batch_size": 16,
                "class_weights": "balanced",
                "average": "ema",
                "average_decay": 0.9,
            },
        }
    )
    prepared = prepare(given, home)
    make_ready(given, prepared.card, home, print)
    config, card = given.trial_config, prepared.card
    folder = TrialFolder(tmp_path / "trial")
    result = attempt(spec_of(config, prepared), folder, Reporter(None, 0), StopFlag())
    assert result is not None and result.outcome == "complete", result
    assert evaluate(folder.path, config).value == result.value and result.value > 0.8
    candidate = candidate_of(config, prepared, study="zh", value=result.value, epochs=8)
    model = packed(candidate, folder.path, prepared, tmp_path / "model")
    held = read_rows(prepared.validation, card.inputs)
    said, saved = predict(model, held), read(folder.predictions)
    order = np.argsort(saved.ids)[np.searchsorted(np.sort(saved.ids), said.ids)]
    of_classes = (Predictions, LabelPredictions)
    assert isinstance(said, of_classes) and isinstance(saved, of_classes)
    np.testing.assert_allclose(said.probabilities, saved.probabilities[order], atol=1e-5)
    one = model.predict(pd.DataFrame({"text": ["喜欢" * 100]}))
    assert len(one) == 1 and ("place/label" in one) == (way == "second")
    asked, _ = rows_of(model, file)
    assert len(model.predict(asked)) == 240
    if way == "classes":
        assert list(one["label"]) == ["good"]
        _explained(Subject(candidate, card, folder.path, prepared.train.parent, model, held, said))
    elif kind == "linear":
        alone = answered_alone(tmp_path / "model", held.values.tolist(), tmp_path)
        np.testing.assert_array_equal(alone, said.probabilities)


def _explained(subject: Subject) -> None:
    """The pieces of a text are the text; letters that say how it is meant weigh most."""
    explain(subject, 3)
    found = read_explained(subject.folder)
    assert found is not None and not found.why_not and found.examples
    weights: dict[bool, list[float]] = {True: [], False: []}
    for example in found.examples:
        row = int(np.flatnonzero(subject.rows.ids == example.id)[0])
        shown = "".join(piece.shown for piece in example.pieces)
        assert shown.split(" … ")[0] in subject.rows.values[row]
        for piece in example.pieces:
            telling = bool(set(piece.shown) & set(GOOD + BAD))
            weights[telling].append(abs(piece.weight))
    assert np.mean(weights[True]) > np.mean(weights[False])
