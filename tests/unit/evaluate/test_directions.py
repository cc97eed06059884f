"""Whatever the search follows, better answers are worth more by it."""

from __future__ import annotations

import numpy as np
import pytest

from conf.schema.evaluate import OF_TASK, Evaluate, direction_of
from tasks.evaluate.metrics import score
from tasks.evaluate.predictions import (
    AnyPredictions,
    LabelPredictions,
    NumberPredictions,
    Predictions,
    TextPredictions,
)

ROWS, CLASSES = 60, 2


def answers(task: str, noise: float) -> AnyPredictions:
    """Answers about the same rows that are the more wrong the more noise there is."""
    random = np.random.default_rng(0)
    ids, errors = np.arange(ROWS), noise * random.standard_normal((ROWS, CLASSES))
    targets = random.integers(CLASSES, size=ROWS)
    if task == "classification":
        odds = np.exp(4 * np.eye(CLASSES)[targets] + errors)
        return Predictions(ids, targets, odds.argmax(axis=1), odds / odds.sum(1, keepdims=True))
    if task == "multilabel":
        has = (random.random((ROWS, CLASSES)) < 0.5).astype(np.int8)
        return LabelPredictions(ids, has, 1 / (1 + np.exp(4 - 8 * has - errors)))
    if task == "regression":
        return NumberPredictions(ids, targets.astype(float), targets + errors[:, 0])
    wanted = [f"word{row} stands here as it did before" for row in ids]
    said = [
        text if error < 1 else "nothing" for text, error in zip(wanted, errors[:, 0], strict=True)
    ]
    return TextPredictions(ids, wanted, said, 1 + errors[:, 0] ** 2, np.ones(ROWS, int))


@pytest.mark.parametrize(
    ("task", "name"), [(task, name) for task, names in OF_TASK.items() for name in names]
)
def test_better_answers_are_worth_more(task: str, name: str) -> None:
    section = Evaluate(objective=name, metrics=(name,))  # any of them may be
    good, bad = (score(answers(task, noise), section)[name] for noise in (0.1, 8.0))
    assert good < bad if section.direction == "minimize" else good > bad
    assert section.direction == direction_of(name)
