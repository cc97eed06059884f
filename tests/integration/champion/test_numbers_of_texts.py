"""A pre-trained transformer that reads texts and predicts a number."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import numpy as np
import pytest

from conf.runtime.home import Home
from conf.schema.study import Study
from tasks.evaluate.predictions import NumberPredictions, read
from tasks.explain.explain import Subject, explain
from tasks.packaging.benchmark import predict
from tasks.packaging.explanations import read_explained
from tasks.packaging.raw_rows import read_rows
from tasks.prepare import prepare
from tasks.train.engine.protocol import Reporter
from tasks.train.folder import TrialFolder
from tasks.train.preflight import make_ready
from tasks.train.trial.main import StopFlag, attempt
from tests.integration.champion.packed import candidate_of, packed
from tests.specs import spec_of
from tests.tiny import BAD, GOOD, PLAIN, study_of, tiny_bert


def stars(file: Path, rows: int = 160) -> Path:
    """Texts with as many good words as stars."""
    draw = random.Random(0)
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["text", "stars"])
        for number in range(rows):
            good = number % 5
            words = [*draw.choices(PLAIN, k=4), *draw.choices(GOOD, k=good)]
            words += draw.choices(BAD, k=4 - good)
            draw.shuffle(words)
            writer.writerow([" ".join(words) + f" {number}", 10.0 + 2.5 * good])
    return file


@pytest.mark.parametrize(
    ("kind", "least"), [("transformer", 0.3), pytest.param("head", 0.0, marks=pytest.mark.long)]
)
def test_it_learns_and_is_served_as_it_was_scored(kind: str, least: float, tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")
    (home.path / "sources").mkdir()
    tiny_bert(home.path / "sources" / "bert")
    stars(home.path / "sources" / "stars.csv")
    given = study_of(kind=kind) if kind == "head" else study_of()
    given |= {
        "data": {"source": "table", "path": "stars.csv", "task": "regression", "label": "stars",
                 "text": "text"},
        "split": {"by": "random"},
        "evaluate": {"objective": "rmse", "metrics": ["rmse", "r2"]},
    }  # fmt: skip
    given["train"] |= {"epochs": 12, "lr": 1e-2}
    study = Study.model_validate(given)
    prepared = prepare(study, home)
    make_ready(study, prepared.card, home, print)
    config = study.trial_config
    spec = spec_of(config, prepared)
    folder = TrialFolder(tmp_path / "trial")
    result = attempt(spec, folder, Reporter(None, 0), StopFlag())
    assert result is not None and result.outcome == "complete", result
    assert folder.read_metrics()[result.best_epoch - 1].metrics["val/r2"] > least
    candidate = candidate_of(config, prepared, study="stars", value=1.0, epochs=12)
    model = packed(candidate, folder.path, prepared, tmp_path / "model")
    rows = read_rows(prepared.validation, prepared.card.inputs)
    said, saved = predict(model, rows), read(folder.predictions)
    assert isinstance(said, NumberPredictions) and isinstance(saved, NumberPredictions)
    order = np.argsort(saved.ids)[np.searchsorted(np.sort(saved.ids), said.ids)]
    np.testing.assert_allclose(said.predictions, saved.predictions[order], rtol=1e-4)
    _explained(Subject(candidate, prepared.card, folder.path, prepared.train.parent, model, rows,
                       said), 3)  # fmt: skip


def _explained(subject: Subject, count: int) -> None:
    """What counts for many stars are the good words, and a text is whole in its pieces."""
    explain(subject, count)
    found = read_explained(subject.folder)
    assert found is not None and not found.why_not and len(found.examples) == 2 * count
    weights: dict[bool, list[float]] = {True: [], False: []}
    for example in found.examples:
        row = int(np.flatnonzero(subject.rows.ids == example.id)[0])
        assert "".join(piece.shown for piece in example.pieces) == subject.rows.values[row]
        for piece in example.pieces:
            if piece.shown in (*GOOD, *BAD):
                weights[piece.shown in GOOD].append(piece.weight)
    assert np.mean(weights[True]) > np.mean(weights[False])
