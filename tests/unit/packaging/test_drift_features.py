from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conf.runtime.errors import BadInput
from tasks.evaluate.predictions import NumberPredictions, Predictions, TextPredictions
from tasks.packaging import drift_reference
from tasks.packaging.drift_features import (
    DriftFeatures,
    FeatureColumn,
    answers_of,
    complete_rows,
    feature_columns,
    features_of,
)
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


def test_features_of_an_image_measure_its_lean_and_sharpness() -> None:
    upright = np.zeros((1, 8, 8))
    upright[0, 1:7, 3:5] = 16
    leaning = np.stack([np.eye(8) * 16])
    blurred = (upright + np.roll(upright, 1, 2) + np.roll(upright, -1, 2)) / 3
    at = {n: k for k, n in enumerate(features_of(upright, IMAGE).names)}
    straight, bent, soft = (features_of(x, IMAGE).values[0] for x in (upright, leaning, blurred))
    assert abs(straight[at["lean"]]) < 1e-6 < bent[at["lean"]]
    assert soft[at["sharpness"]] < straight[at["sharpness"]]


def test_a_missing_value_of_a_table_is_filled_in_as_in_training() -> None:
    given = np.array([[np.nan, 1.0]])
    features = features_of(given, TABLE)
    assert features.values[0, 0] == 1.0 and features.joint[0, 0] == 1.0
    assert complete_rows(given, TABLE).all()


def test_rows_with_a_missing_value_are_left_out_where_training_dropped_them() -> None:
    table = as_inputs({"kind": "table", "names": ["a", "b"]})
    given = np.array([[np.nan, 1.0], [0.0, 1.0], [0.0, np.inf]])
    assert complete_rows(given, table).tolist() == [False, True, False]
    assert complete_rows(["a text"], TEXT).all()


def test_features_are_named_by_the_columns_of_the_study() -> None:
    table = as_inputs(
        {
            "kind": "table",
            "features": 8,
            "columns": [
                {"name": "age", "kind": "number"},
                {"name": "city", "kind": "category", "levels": ["Bonn", "Rome"]},
                {"name": "day", "kind": "datetime", "start": 0.0},
            ],
        }
    )
    names = ("age", "city=Bonn", "city=Rome", "day.days", "day.week_sin", "brightness")
    assert feature_columns(names, table) == (
        FeatureColumn("age"),
        FeatureColumn("city", "Bonn"),
        FeatureColumn("city", "Rome"),
        FeatureColumn("day", date=True),
        FeatureColumn("day", date=True),
        FeatureColumn("brightness"),
    )


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


def test_a_reference_samples_every_split_when_there_are_many_rows() -> None:
    parts = [np.zeros((3_000, 2)), np.ones((1_000, 2))]
    made = drift_reference.build(parts, TABLE, None)
    assert len(made.features) == drift_reference.MOST and made.answers is None
    assert 0.2 < made.features.values.mean() < 0.3


def test_missing_values_of_an_old_reference_are_filled_in(tmp_path: Path) -> None:
    """Earlier versions wrote a number below all others for a missing value."""
    values, joint = np.array([[-1e30, 1.0]], np.float32), np.array([[5.0, 1.0]], np.float32)
    old = drift_reference.DriftReference(DriftFeatures(("a", "b"), values, joint), None)
    drift_reference.write(tmp_path / "reference", old)
    assert np.array_equal(drift_reference.read(tmp_path / "reference").features.values, joint)


def test_a_missing_reference_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read as a champion's reference"):
        drift_reference.read(tmp_path / "nothing")
