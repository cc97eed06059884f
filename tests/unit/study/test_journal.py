"""The journal: torn ends, bad lines, full disks."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.runtime.errors import BadInput, DenseError
from tasks.study.events import Asked, Event, Target, decode, encode
from tasks.study.journal import Journal, read
from tests.unit.study.examples import asked, attempt, complete, stopped, target

LINES: list[Event] = [asked(0, 2), attempt(0), complete(0, 0.1 + 0.2), stopped("user")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a journal of four events lies."""
    path = tmp_path / "journal.jsonl"
    journal, _, _ = Journal.open(path)
    with journal:
        journal.append(*LINES[:2])
        journal.append(*LINES[2:])
    return path


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond 4,096 bytes: a write that would is cut short by the system."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_is_appended_is_read(path: Path) -> None:
    assert read(path) == (tuple(LINES), 0)
    journal, events, torn = Journal.open(path)
    journal.close()
    assert (list(events), torn) == (LINES, 0)


def test_a_journal_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read(tmp_path / "none.jsonl") == ((), 0)
    assert not (tmp_path / "none.jsonl").exists()


@settings(deadline=None)
@given(cut=st.integers(1, 10_000))
def test_a_torn_last_line_is_cut_and_counted(tmp_path_factory: pytest.TempPathFactory, cut: int):
    path = tmp_path_factory.mktemp("torn") / "journal.jsonl"
    content = b"".join(map(encode, LINES))
    kept = content[: cut % len(content)]
    path.write_bytes(kept)
    whole = kept.count(b"\n")
    tail = len(kept) - (kept.rfind(b"\n") + 1)
    assert read(path) == (tuple(LINES[:whole]), tail)
    assert path.read_bytes() == kept, "reading changes nothing"
    journal, events, torn = Journal.open(path)
    with journal:
        assert (list(events), torn) == (LINES[:whole], tail)
        journal.append(*LINES[whole:])
    assert path.read_bytes() == content


def test_a_last_line_that_lost_its_beginning_is_torn(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content + b'\0\0\0\0,"time":1.0}\n')
    journal, events, torn = Journal.open(path)
    journal.close()
    assert (list(events), torn) == (LINES, 17)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("line", "number"),
    [
        pytest.param(b"half a li", 2, id="no JSON"),
        pytest.param(b'{"event":"asked","time":1.0}', 3, id="a field is missing"),
        pytest.param(b'{"event":"danced","time":1.0}', 1, id="an unknown event"),
        pytest.param(b'{"event":"danced","time":1.0}', 5, id="an unknown event at the end"),
        pytest.param(b"", 2, id="an empty line"),
        pytest.param(b"\xff\xfe", 1, id="no text"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_changed(path: Path, line: bytes, number: int) -> None:
    lines = path.read_bytes().splitlines()
    lines.insert(number - 1, line)
    path.write_bytes(content := b"\n".join(lines) + b"\n")
    with pytest.raises(BadInput, match=rf"journal\.jsonl, line {number}:"):
        Journal.open(path)
    assert path.read_bytes() == content


@pytest.mark.usefixtures("small_files")
def test_a_disk_that_is_full_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal, _, _ = Journal.open(path)
    with journal:
        journal.append(asked(0, 2))
        content = path.read_bytes()
        with pytest.raises(DenseError, match=r"journal\.jsonl cannot be written"):
            journal.append(asked(2, 40, batch=1))
        assert path.read_bytes() == content
        journal.append(attempt(0))
    assert read(path) == ((asked(0, 2), attempt(0)), 0)


def test_a_half_line_that_cannot_be_taken_back_is_cut_before_the_next(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    journal, _, _ = Journal.open(path)
    with journal:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", broken)
            patch.setattr(os, "ftruncate", broken)
            with pytest.raises(DenseError):
                journal.append(target(99, "a much longer line than the one that follows"))
        journal.append(target(9))
    events, torn = read(path)
    assert (events[-1], torn) == (target(9), 0)
    assert list(events[:-1]) == LINES


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_json_lacks_is_refused_before_it_is_written(
    path: Path, number: float
) -> None:
    content = path.read_bytes()
    journal, _, _ = Journal.open(path)
    with journal, pytest.raises(ValueError, match="JSON"):
        journal.append(asked(2, 1, batch=1, state={"scale": [number]}))
    assert path.read_bytes() == content


SCALARS = (
    st.booleans()
    | st.none()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)


@given(values=st.dictionaries(st.text(), SCALARS))
def test_values_come_back_as_they_were_to_the_bit_and_to_the_type(values: dict[str, object]):
    first = asked(0, 1)
    suggestion = first.suggestions[0].model_copy(update={"values": values})
    line = encode(first.model_copy(update={"suggestions": (suggestion,)}))
    assert line.count(b"\n") == 1
    found = decode(line)
    assert isinstance(found, Asked)
    assert repr(found.suggestions[0].values) == repr(values)


def test_unknown_fields_are_refused() -> None:
    line = encode(Target(trials=3, key="a", time=0.0)).replace(b"}", b',"more":1}')
    with pytest.raises(ValueError, match="more"):
        decode(line)
