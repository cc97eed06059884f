from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.packaging.explanations import EXPLAINED, Explanation
from tasks.report.sections.explanations import ExplanationSection, explanation_section

RIGHT = {"id": 3, "right": True, "target": "good", "said": "good", "sure": 0.9}
WRONG = {**RIGHT, "id": 4, "right": False, "target": "bad"}
PIECES = [{"shown": "<b>great", "weight": 0.5}, {"shown": " awful", "weight": -0.25}]
COLUMNS = [{"name": f"c{n}", "loss": 0.5 - n / 40, "deviation": 0.01} for n in range(24)]


def shown(tmp_path: Path, **given: Any) -> ExplanationSection:
    found = Explanation.model_validate({"kind": "text", "objective": "f1_macro", **given})
    (tmp_path / EXPLAINED).write_text(found.model_dump_json())
    laid_out = explanation_section(tmp_path)
    assert laid_out is not None
    return laid_out


def test_pieces_are_coloured_by_what_they_count_for(tmp_path: Path) -> None:
    found = shown(tmp_path, examples=[{**RIGHT, "pieces": PIECES}, WRONG])
    right, wrong = found.groups
    assert (right.title, wrong.title) == ("Right", "Wrong")
    first, second = right.examples[0].pieces
    assert (first.tone, second.tone) == ("good", "bad")
    assert first.share == 2 * second.share + 1 or first.share == 2 * second.share - 1
    assert right.examples[0].sure == "90 % sure"


def test_of_labels_the_one_that_is_explained_is_named(tmp_path: Path) -> None:
    found = shown(tmp_path, examples=[{**RIGHT, "about": "good"}])
    assert found.groups[0].examples[0].sure == "90 % sure about good"


def test_numbers_are_near_or_far(tmp_path: Path) -> None:
    found = shown(tmp_path, examples=[{**RIGHT, "sure": None}, {**WRONG, "sure": None}])
    titles = [group.title for group in found.groups]
    assert titles == ["Nearest to their targets", "Furthest off"]
    assert found.groups[0].examples[0].sure == ""


def test_the_columns_that_count_most_are_drawn(tmp_path: Path) -> None:
    found = shown(tmp_path, kind="table", columns=COLUMNS)
    assert len(found.columns) == 20 and found.left_out == 4
    assert found.columns[0] == ("c0", "+0.5000 ± 0.0100", 100.0)
    assert found.columns[-1][2] < 10 and found.groups == []


@pytest.mark.parametrize("content", [None, "{", "{}"], ids=["absent", "torn", "another's"])
def test_without_a_record_there_is_no_section(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / EXPLAINED).write_text(content)
    assert explanation_section(tmp_path) is None
    assert explanation_section(None) is None
