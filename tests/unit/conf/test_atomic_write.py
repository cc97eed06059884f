"""Files whole or not at all; writing beside the training."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import IO

import pytest

from conf.runtime.atomic_write import Background, at_once, write_durably


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_durably(path, lambda file: file.write(b"first"))

    def fail(file: IO[bytes]) -> None:
        file.write(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_durably(path, fail)
    assert path.read_bytes() == b"first"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_calls_run_in_order_and_flush_waits_for_them() -> None:
    background, seen, gate = Background(), [], threading.Event()
    background.submit(lambda: (gate.wait(5), seen.append(1))[0] and None)  # type: ignore[func-returns-value]
    background.submit(lambda: seen.append(2))
    assert seen == []
    gate.set()
    background.flush()
    assert seen == [1, 2]


def test_nothing_runs_after_a_failure_and_flush_tells_it() -> None:
    background, seen = Background(), []

    def fail() -> None:
        raise OSError("disk full")

    background.submit(fail)
    background.submit(lambda: seen.append(2))
    background.submit(lambda: seen.append(3))
    with pytest.raises(OSError, match="disk full"):
        background.flush()
    assert seen == []
    background.submit(lambda: seen.append(4))
    background.flush()
    assert seen == [4]


def test_calls_at_once_overlap_and_tell_the_first_failure() -> None:
    barrier = threading.Barrier(2, timeout=5)
    at_once(lambda: barrier.wait() and None, lambda: barrier.wait() and None)

    def fail() -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        at_once(fail, lambda: None)
