"""Any number of labels a row, of texts and of tables: prepared, learnt, scored, and served."""

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
from tasks.evaluate.predictions import LabelPredictions, read
from tasks.explain.explain import Subject, explain
from tasks.packaging.benchmark import load, predict
from tasks.packaging.drift_features import answers_of
from tasks.packaging.explanations import read_explained
from tasks.packaging.pack import pack
from tasks.packaging.packer import PackJob
from tasks.packaging.raw_rows import read_rows
from tasks.packaging.records import Candidate, EnsembleMember
from tasks.prepare import Prepared, prepare
from tasks.scoring.predict import rows_of
from tasks.scoring.score_files import score_file
from tasks.train.engine.protocol import Reporter
from tasks.train.folder import TrialFolder
from tasks.train.preflight import make_ready
from tasks.train.trial.main import StopFlag, attempt
from tests.integration.champion.packed import candidate_of, check_package, packed
from tests.specs import spec_of
from tests.tiny import BAD, GOOD, PLAIN, study_of, tiny_bert

METRICS = ["f1_micro", "f1_macro", "accuracy", "hamming_loss", "roc_auc", "average_precision"]


def rows(file: Path, many: int = 200) -> Path:
    """Of each row a text, a number and a word, and the labels that follow from them."""
    draw = random.Random(0)
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["text", "size", "city", "labels"])
        for number in range(many):
            good, bad = draw.random() < 0.5, draw.random() < 0.4
            words = draw.choices(PLAIN, k=3) + good * draw.choices(GOOD, k=3)
            words += bad * draw.choices(BAD, k=3)
            draw.shuffle(words)
            labels = ["good"] * good + ["bad"] * bad + ["odd"] * (number == 0)
            size, city = draw.gauss(2.0 * good, 0.5), draw.choice("LP") if bad else "N"
            text = f"{' '.join(words)} {number}"
            writer.writerow([text, f"{size:.4f}", city, "; ".join(labels)])
    return file


def study(kind: str) -> Study:
    """The same labels, learnt from the texts or from the other columns."""
    texts = kind in ("transformer", "head")
    given: dict[str, Any] = {"name": "labels", "search": {"trials": 1}, "model": {"kind": kind}}
    if texts:
        given = study_of(kind=kind) if kind == "head" else study_of()
    columns = {"text": "text"} if texts else {"features": ["size", "city"]}
    given |= {
        "data": {"source": "table", "path": "rows.csv", "task": "multilabel", "label": "labels",
                 "label_separator": ";", **columns},
        "clean": {"class_floor": 3, "duplicates": "keep"},
        "evaluate": {"objective": "f1_macro", "metrics": METRICS},
        "train": {**given.get("train", {}), "epochs": 10, "lr": 1e-2, "batch_size": 16,
                  "class_weights": "balanced"},
    }  # fmt: skip
    return Study.model_validate(given)


OTHERS = ("transformer", "head", "random_forest", "gradient_boosting", "svm", "knn")
LONG = [pytest.param(kind, marks=pytest.mark.long) for kind in OTHERS]


@pytest.mark.parametrize("kind", ["mlp", *LONG])
def test_they_are_learnt_and_served_as_they_were_scored(kind: str, tmp_path: Path) -> None:
    home, given = Home.open(tmp_path / "home"), study(kind)
    (home.path / "sources").mkdir()
    tiny_bert(home.path / "sources" / "bert")
    file = rows(home.path / "sources" / "rows.csv")
    prepared = prepare(given, home)
    make_ready(given, prepared.card, home, print)
    card, config = prepared.card, given.trial_config
    assert card.classes == ("bad", "good") and card.counts["train"]["good"] > 40
    assert "'odd'" in str(card.rules), "a label of one row is left out, and said"
    folder = TrialFolder(tmp_path / "trial")
    result = attempt(spec_of(config, prepared), folder, Reporter(None, 0), StopFlag())
    assert result is not None and result.outcome == "complete", result
    found = evaluate(folder.path, config)
    assert found.value == result.value
    texts = given.data.text is not None  # by a network of a few thousand random weights
    assert found.metrics["roc_auc"].value > (0.6 if texts else 0.85)
    assert [each.rows for each in found.classes] == list(card.counts["validation"].values())
    candidate = candidate_of(config, prepared, study="labels", value=found.value, epochs=10)
    model = packed(candidate, folder.path, prepared, tmp_path / "model")
    held = read_rows(prepared.validation, card.inputs)
    said, saved = predict(model, held), read(folder.predictions)
    assert isinstance(said, LabelPredictions) and isinstance(saved, LabelPredictions)
    order = np.argsort(saved.ids)[np.searchsorted(np.sort(saved.ids), said.ids)]
    np.testing.assert_array_equal(said.targets, saved.targets[order])
    np.testing.assert_allclose(said.probabilities, saved.probabilities[order], atol=1e-4)
    assert answers_of(said).values.min() >= 0.5  # how sure it is of all labels together
    _of_a_file(model, file, held.ids, found.value)
    if kind in ("mlp", "transformer", "knn"):
        parts = prepared.train.parent
        explain(Subject(candidate, card, folder.path, parts, model, held, said), 2)
        why = read_explained(folder.path)
        assert why is not None and not why.why_not and why.examples
        assert {each.about for each in why.examples} <= {"bad", "good"}
        assert all(each.pieces for each in why.examples)
        _with_others(candidate, folder.path, prepared, model, held.values)


def _with_others(
    candidate: Candidate, folder: Path, prepared: Prepared, model: Any, values: Any
) -> None:
    """As a member of an ensemble, alone in it: it answers as by itself."""
    one = EnsembleMember(
        number=0, digest=candidate.digest, config=candidate.config, folder=str(folder), weight=1.0
    )
    place = folder / "together"
    job = PackJob(candidate, folder, prepared.card, prepared.train, members=(one,))
    pack(job, place)
    check_package(candidate, folder, prepared, place, members=[one])
    pd.testing.assert_frame_equal(load(place).predict(values), model.predict(values))


def _of_a_file(model: Any, file: Path, ids: np.ndarray, value: float) -> None:
    """The labels of the validation rows, read from a file, and how well they are told there."""
    part = file.with_name("part.csv")
    frame = pd.read_csv(file).iloc[ids]
    frame["labels"] = frame["labels"].str.replace("odd", "").fillna("")
    frame.to_csv(part, index=False)
    asked, _ = rows_of(model, part)
    answers = model.predict(asked)
    assert set(answers["labels"]) <= {"", "bad", "good", "bad;good"}
    assert (answers["labels"].str.contains("good") == (answers["p_good"] >= 0.5)).all()
    assert score_file(model, part).metrics["f1_macro"].value == pytest.approx(value, abs=0.03)
    frame.assign(labels="sad").to_csv(part, index=False)
    with pytest.raises(BadInput, match="the label 'sad', which the model does not know"):
        score_file(model, part)
