from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conf.runtime.errors import BadInput
from tasks.evaluate.predictions import NumberPredictions, Predictions, TextPredictions
from tasks.packaging import drift_reference
from tasks.packaging.drift_features import GAP, answers_of, features_of
from tests.cards import as_inputs

IMAGE: Any = as_inputs({"kind": "image", "high": 16})
COLOUR: Any = as_inputs({"kind": "image", "height": 9, "width": 7, "channels": 3})
TABLE: Any = as_inputs({"kind": "table", "names": ["a", "b"], "fill": [1.0, 2.0]})
TEXT: Any = as_inputs({"kind": "text"})


def rows(inputs: Any, count: int = 5) -> Any:
    random = np.random.default_rng(0)
    if inputs.kind == "image":
        deep = (3,) if inputs.channels == 3 else ()
        shape = (count, inputs.height, inputs.width, *deep)
        return random.uniform(0, inputs.high, shape)
    if inputs.kind == "table":
        return random.normal(size=(count, 2))
    return np.array([f"Word number {k}!" for k in range(count)], dtype=object)


@pytest.mark.parametrize(
    "inputs", [IMAGE, COLOUR, TABLE, TEXT], ids=["grey", "rgb", "table", "text"]
)
def test_features_are_finite_and_of_each_row_alone(inputs: Any) -> None:
    given = rows(inputs)
    found = features_of(given, inputs)
    assert found.values.shape == (5, len(found.names)) and len(found.joint) == 5
    assert np.isfinite(found.values).all() and np.isfinite(found.joint).all()
    alone = features_of(given[2:3], inputs)
    assert np.allclose(alone.values, found.values[2:3], atol=1e-5)
    assert np.allclose(alone.joint, found.joint[2:3], atol=1e-5)


def test_an_image_says_how_it_leans_and_how_sharp_it_is() -> None:
    upright = np.zeros((1, 8, 8))
    upright[0, 1:7, 3:5] = 16
    leaning = np.stack([np.eye(8) * 16])
    blurred = (upright + np.roll(upright, 1, 2) + np.roll(upright, -1, 2)) / 3
    at = {n: k for k, n in enumerate(features_of(upright, IMAGE).names)}
    straight, bent, soft = (features_of(x, IMAGE).values[0] for x in (upright, leaning, blurred))
    assert abs(straight[at["lean"]]) < 1e-6 < bent[at["lean"]]
    assert soft[at["sharpness"]] < straight[at["sharpness"]]


def test_a_gap_of_a_table_is_a_value_of_its_own() -> None:
    found = features_of(np.array([[np.nan, 1.0]]), TABLE)
    assert found.values[0, 0] == np.float32(GAP) and found.joint[0, 0] == 1.0


SAID = {
    "classes": Predictions(
        np.arange(2), np.array([0, 1]), np.array([0, 1]), np.array([[0.9, 0.1], [0.4, 0.6]])
    ),
    "numbers": NumberPredictions(np.arange(2), np.zeros(2), np.array([1.5, 2.5])),
    "texts": TextPredictions(np.arange(2), ["a", "b"], ["one two", ""]),
}


@pytest.mark.parametrize("kind", SAID)
def test_a_reference_is_read_as_it_was_written(kind: str, tmp_path: Path) -> None:
    parts = [rows(TABLE, 30), rows(TABLE, 10)]
    made = drift_reference.build(parts, TABLE, SAID[kind])
    drift_reference.write(tmp_path / "reference", made)
    found = drift_reference.read(tmp_path / "reference")
    assert len(found.features) == 40
    assert np.array_equal(found.features.joint, made.features.joint)
    assert found.answers is not None and found.answers.names == answers_of(SAID[kind]).names
    assert (found.answers.labels is None) == (kind != "classes")


def test_of_many_rows_some_are_kept_from_every_part() -> None:
    parts = [np.zeros((3_000, 2)), np.ones((1_000, 2))]
    made = drift_reference.build(parts, TABLE, None)
    assert len(made.features) == drift_reference.MOST and made.answers is None
    assert 0.2 < made.features.values.mean() < 0.3


def test_a_missing_reference_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read as a champion's reference"):
        drift_reference.read(tmp_path / "nothing")
