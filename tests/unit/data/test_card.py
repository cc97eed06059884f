"""The data set card: what is written is read back, and cards of earlier versions still load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from conf.runtime.errors import DenseError
from data.card import DataCard, ImageInputs, TableInputs, parse_inputs
from tests.cards import as_card, as_inputs
from tests.unit.report.made import CARD

IMAGE = {"kind": "image", "height": 2, "width": 3, "channels": 1, "high": 16.0}
SCALED = IMAGE | {"shift": [1.0], "scale": [2.0]}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="the fields of an early card"),
        pytest.param({"folds": None, "anonymity": None}, id="fields that are null"),
        pytest.param({"target": {"mean": 1.5, "deviation": 2.0, "low": 0.0, "high": 4.0}},
                     id="a number to predict"),
        pytest.param({"second": {"name": "b", "classes": ["x"], "counts": {}}}, id="two targets"),
        pytest.param({"inputs": {"kind": "text", "vocabulary": 9, "pad": 0, "longest": 4,
                                 "lengths": {"text": {"median": 3.0, "p95": 4.0}}}}, id="texts"),
    ],
)  # fmt: skip
def test_a_card_is_written_as_it_was_read(tmp_path: Path, changes: dict[str, Any]) -> None:
    card = {"fingerprint": "f", **CARD, "inputs": SCALED, **changes}
    file = tmp_path / "card.json"
    file.write_text(json.dumps(card))
    assert DataCard.read(file).as_json() == card


def test_the_kind_of_inputs_is_written_although_it_has_a_default() -> None:
    inputs = TableInputs(features=1, names=("a",), shift=(0.0,), scale=(1.0,))
    assert inputs.as_json()["kind"] == "table" and parse_inputs(inputs.as_json()) == inputs
    assert "levels" not in inputs.as_json()


def test_a_card_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        as_card({}).key = "other"  # type: ignore[misc]


def test_a_damaged_card_names_its_file(tmp_path: Path) -> None:
    file = tmp_path / "card.json"
    for content in ("{", '{"kind": "image"}'):
        file.write_text(content)
        with pytest.raises(DenseError, match=r"card\.json cannot be read as a data set card"):
            DataCard.read(file)
    with pytest.raises(DenseError, match="not the inputs of a data set card"):
        parse_inputs({"kind": "video"})


def test_shift_and_scale_have_the_shape_of_the_inputs() -> None:
    image = as_inputs(SCALED)
    assert isinstance(image, ImageInputs) and image.shape == (2, 3, 1)
    assert [each.shape for each in image.shift_and_scale()] == [(1, 1, 1), (1, 1, 1)]
    table = as_inputs({"kind": "table", "names": ["a", "b=x"], "levels": {"b": ["x"]}})
    assert isinstance(table, TableInputs) and table.numeric == 1
    assert [each.shape for each in table.shift_and_scale()] == [(2,), (2,)]
