"""The page about a study: one HTML file that needs nothing else, not even a network."""

from __future__ import annotations

import json
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from conf.runtime.atomic_write import write_atomically
from tasks.report import format
from tasks.report.view import Surroundings, view
from tasks.study.reader import StudyRecord

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_PLAIN = Surroundings()


def page(record: StudyRecord, around: Surroundings = _PLAIN) -> str:
    """The page as HTML.

    Args:
        record: the study, read after whatever the page should show.
        around: data card, contact sheet, command and versions.
    """
    return render("page.html", view(record, around))


def render(template: str, view: DataclassInstance) -> str:
    """A template of this folder as self-contained HTML.

    Args:
        template: its file name.
        view: a dataclass whose fields are the template's variables.
    """
    environment = _environment()
    return environment.get_template(template).render(
        **{each.name: getattr(view, each.name) for each in fields(view)},
        script_json=script_json,
        number=format.number,
        style=_source(environment, "style.css"),
        script=_source(environment, "page.js"),
        plotly=Markup(get_plotlyjs()),  # noqa: S704  the library's own file
    )


def write_page(record: StudyRecord, around: Surroundings = _PLAIN) -> Path:
    """Write the page where the study's report belongs, and say where that is."""
    path = record.home.report(record.study.name)
    write_atomically(path, page(record, around))
    return path


def script_json(value: Any) -> Markup:
    """JSON that may stand in a script element: nothing in it can end the element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704  escaped above


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("tasks.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _source(environment: Environment, name: str) -> Markup:
    """A file of this room as it is."""
    assert environment.loader is not None
    return Markup(environment.loader.get_source(environment, name)[0])  # noqa: S704
