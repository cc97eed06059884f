"""Files whole or not at all; writing beside the training."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from conf.runtime.atomic_write import (
    Background,
    at_once,
    atomic_file,
    atomic_path,
    write_atomically,
    write_durably,
)


def names(folder: Path) -> list[str]:
    """Names in a folder, with hidden ones."""
    return sorted(each.name for each in folder.iterdir())


@pytest.mark.parametrize("single_writer", [False, True])
def test_a_failed_write_leaves_the_old_content(tmp_path: Path, single_writer: bool) -> None:
    path = tmp_path / "file"
    write_durably(path, b"first")
    with (
        pytest.raises(OSError, match="disk full"),
        atomic_file(path, single_writer=single_writer) as file,
    ):
        file.write(b"half")
        raise OSError("disk full")
    assert path.read_bytes() == b"first"
    assert names(tmp_path) == ["file"]


def test_an_existing_file_is_replaced_kept_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    write_atomically(path, "first", existing="refuse")
    write_atomically(path, "second", existing="keep")
    with pytest.raises(FileExistsError):
        write_atomically(path, "third", existing="refuse")
    assert path.read_text() == "first"
    write_atomically(path, "fourth")
    assert path.read_text() == "fourth"
    assert names(path.parent) == ["file"]


def test_a_file_that_several_processes_may_write_is_private(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", "secret")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_the_temporary_file_of_a_killed_process_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / ".file.tmp").write_text("a longer half")
    write_durably(tmp_path / "file", b"whole")
    assert names(tmp_path) == ["file"] and (tmp_path / "file").read_bytes() == b"whole"


def test_a_folder_is_replaced_at_the_end_of_the_block(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    for content in ("first", "second"):
        with atomic_path(path) as temporary:
            temporary.mkdir()
            (temporary / content).touch()
            assert not (path / content).exists()
        assert names(path) == [content]
    with pytest.raises(OSError, match="disk full"), atomic_path(path) as temporary:
        temporary.mkdir()
        raise OSError("disk full")
    assert names(path) == ["second"] and names(tmp_path) == ["folder"]


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
