from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.packaging.records import Latency
from tasks.packaging.tradeoff import PLAIN, TRADEOFF, RecipeMeasurement, Tradeoff
from tasks.report.sections.compression import compression_section
from tests.unit.champion.helpers import candidate, scored


def measured(
    recipe: str, value: float, size: float, time: float, *, within: bool
) -> RecipeMeasurement:
    times = {n: Latency(p50=n * time / 2, p95=n * time) for n in (1, 32)}
    return RecipeMeasurement(
        recipe=recipe, value=value, loss=0.98 - value, size_mb=size, latency=times, within=within
    )


def kept(folder: Path, chosen: str | None) -> None:
    rows = (
        measured(PLAIN, 0.98, 4.0, 3.0, within=True),
        measured("int8", 0.975, 1.0, 4.0, within=True),
        measured("onnx-int8", 0.5, 0.9, 0.4, within=False),
    )
    found = Tradeoff(objective="accuracy", rows=rows, chosen=chosen, why="because")
    (folder / TRADEOFF).write_text(found.model_dump_json())


def test_recipes_as_a_table_and_by_each_cost(tmp_path: Path) -> None:
    kept(tmp_path, "int8")
    (tmp_path / "small-int8").mkdir()
    (tmp_path / "small-int8" / "score.json").write_text(scored(candidate()).model_dump_json())
    found = compression_section(tmp_path, -1.0)
    assert found is not None
    assert [row.note for row in found.rows] == ["", "chosen", "loses too much"]
    assert [row.loss for row in found.rows] == ["", "+0.0050", "+0.4800"]
    assert found.rows[1].times == ["2.00", "4.00", "64.00", "128.00"]
    assert found.test.startswith("0.9500 (0.93")
    points: dict[str, Any] = {name: figure["data"][0] for name, figure in found.figures.items()}
    assert points["small-size"]["x"] == [4.0, 1.0, 0.9]
    assert points["small-latency"]["x"] == [3.0, 4.0, 0.4]
    sides = [side.split()[0] for side in points["small-size"]["textposition"]]
    assert sides == ["top", "top", "bottom"]  # of the two smallest the worse one is named below
    assert points["small-size"]["customdata"] == [0.98, 0.975, 0.5]
    assert points["small-size"]["marker"]["color"] == ["$accent", "$good", "$bad"]


def test_where_none_was_chosen_nothing_was_scored(tmp_path: Path) -> None:
    kept(tmp_path, None)
    found = compression_section(tmp_path, -1.0)
    assert found is not None and found.test == ""


@pytest.mark.parametrize("content", [None, "{"], ids=["absent", "torn"])
def test_without_a_tradeoff_there_is_no_section(tmp_path: Path, content: str | None) -> None:
    if content:
        (tmp_path / TRADEOFF).write_text(content)
    assert compression_section(tmp_path, 1.0) is None
    assert compression_section(None, 1.0) is None
