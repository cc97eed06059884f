"""The templates and their typed views agree: no variable without a field, no unused field."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import pytest
from jinja2 import StrictUndefined, meta

from tasks.compare.page import ComparisonPage
from tasks.monitor.page import MonitorPage
from tasks.report.page import _environment
from tasks.report.view import StudyPage

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ASSETS = {"number", "script_json", "style", "script", "plotly"}
"""What `render` adds to every page."""


def variables(*templates: str) -> set[str]:
    environment = _environment()
    assert environment.loader is not None
    sources = [environment.loader.get_source(environment, name)[0] for name in templates]
    return {
        name
        for source in sources
        for name in meta.find_undeclared_variables(environment.parse(source))
    }


@pytest.mark.parametrize(
    ("template", "view"),
    [("page.html", StudyPage), ("versus.html", ComparisonPage), ("monitor.html", MonitorPage)],
)
def test_the_variables_of_a_template_are_the_fields_of_its_view(
    template: str, view: type[DataclassInstance]
) -> None:
    used = variables("base.html", template) - ASSETS
    assert used == {each.name for each in fields(view)}


def test_an_undefined_attribute_is_an_error() -> None:
    assert _environment().undefined is StrictUndefined
