"""One study for all tests of the room: it is only read."""

from __future__ import annotations

import pytest

from tasks.study.reader import StudyRecord
from tests.unit.report.made import crowned, made_home, made_study


@pytest.fixture(scope="session")
def record(tmp_path_factory: pytest.TempPathFactory) -> StudyRecord:
    """A study of sixteen trials, two of them failed, with a champion."""
    home = made_home(tmp_path_factory.mktemp("report"))
    return crowned(home, made_study(home))
