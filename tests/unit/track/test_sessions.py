"""Sessions: who drove a study when."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.track import sessions
from tasks.track.sessions import SessionRecord


def session(time: float) -> SessionRecord:
    return SessionRecord(time=time, flow_run=f"run-{time:g}", data_key="k", commit=None)


def test_what_is_appended_is_read(tmp_path: Path) -> None:
    assert sessions.read(tmp_path) == ()
    for time in (1.0, 2.0):
        sessions.append(tmp_path / "study", session(time))
    assert sessions.read(tmp_path / "study") == (session(1.0), session(2.0))


def test_a_torn_line_costs_itself_alone(tmp_path: Path) -> None:
    sessions.append(tmp_path, session(1.0))
    path = tmp_path / sessions.FILE
    path.write_bytes(path.read_bytes() + b'{"time": 2.0, "flo')
    sessions.append(tmp_path, session(3.0))
    assert sessions.read(tmp_path) == (session(1.0), session(3.0))


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        pytest.param(0.5, None, id="before-the-first"),
        pytest.param(1.0, 1.0, id="at-its-start"),
        pytest.param(2.5, 2.0, id="between"),
        pytest.param(9.0, 3.0, id="in-the-last"),
        pytest.param(None, None, id="never"),
    ],
)
def test_an_event_belongs_to_the_session_that_had_begun(
    time: float | None, expected: float | None
) -> None:
    known = (session(1.0), session(2.0), session(3.0))
    assert sessions.of(known, time) == (None if expected is None else session(expected))


def test_the_commit_is_that_of_the_checkout() -> None:
    found = sessions.commit()
    assert found is None or len(found.removesuffix("-dirty")) == 40
