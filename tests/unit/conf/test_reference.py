"""The page about the study file is what the sections say."""

from __future__ import annotations

from pathlib import Path

import pytest

from conf.loading.reference import kinds, page

PAGE = Path(__file__).resolve().parents[3] / "docs" / "studies.md"
MODELS = PAGE.with_name("models.md")


def test_the_page_is_up_to_date() -> None:
    remedy = "run: python -m conf.loading.reference > docs/studies.md"
    assert PAGE.read_text(encoding="utf-8") == page(), remedy


def test_the_table_of_kinds_is_up_to_date() -> None:
    remedy = "put what `python -m conf.loading.reference kinds` prints into docs/models.md"
    assert "\n".join(kinds()) in MODELS.read_text(encoding="utf-8"), remedy


@pytest.mark.parametrize(
    "line",
    [
        "| `trials` | whole number, at least 1, at most 100,000 | `16` | Number of trials, "
        "trial 0 (the study file as written) included. |",
        "### data: `source: builtin`",
        "### model: `kind: cnn`",
        "### augment.rotate",
        "### search.space: range",
        "| `low` | number | required | Smallest value. |",
    ],
    ids=["bounds", "source", "kind", "nested", "space", "required"],
)
def test_a_row_has_values_default_and_meaning(line: str) -> None:
    assert line in page().splitlines()
