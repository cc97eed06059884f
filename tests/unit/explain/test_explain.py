from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conf.runtime.errors import BadInput
from tasks.evaluate.predictions import Predictions
from tasks.explain import explain as room
from tasks.explain.explain import Subject, explain
from tasks.packaging.explanations import read_explained
from tasks.packaging.raw_rows import RawRows
from tasks.report.sections.explanations import explanation_section
from tests.cards import as_card
from tests.unit.champion.helpers import candidate

NOBODY: Any = None
ROWS = np.arange(2)
SAID = Predictions(ROWS, ROWS, ROWS, np.eye(2))


def subject(folder: Path) -> Subject:
    card = as_card({"inputs": {"kind": "image"}, "classes": ["0", "1"]})
    return Subject(
        candidate(), card, folder, folder, NOBODY, RawRows(ROWS, ROWS, np.zeros((2, 8, 8))), SAID
    )


@pytest.mark.parametrize(
    ("error", "why"),
    [
        pytest.param(BadInput("not installed: pip install it"), "pip install it", id="no library"),
        pytest.param(RuntimeError("no gradient\nat length"), "no gradient", id="no gradient"),
    ],
)
def test_what_cannot_be_explained_says_why_on_the_page(
    error: Exception, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise error

    monkeypatch.setattr(room, "load_trained", failing)
    explain(subject(tmp_path), 1)
    found = read_explained(tmp_path)
    assert found is not None and found.why_not.endswith(why) and not found.examples
    shown = explanation_section(tmp_path)
    assert shown is not None and shown.why_not == found.why_not
