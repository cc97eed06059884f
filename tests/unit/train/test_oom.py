"""Memory near its limit, from the files that the kernel shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.train.engine.oom import Memory, cgroup_folders, look, was_short


@pytest.mark.parametrize(
    ("files", "used"),
    [
        ({"memory.current": "97", "memory.max": "100"}, 0.97),
        ({"memory.usage_in_bytes": "97", "memory.limit_in_bytes": "100"}, 0.97),
    ],
    ids=["v2", "v1"],
)
def test_use_is_the_share_of_the_limit(files: dict[str, str], used: float, tmp_path: Path) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content + "\n")
    assert look([tmp_path]).used == pytest.approx(used)


def test_no_limit_is_the_machines(tmp_path: Path) -> None:
    (tmp_path / "memory.current").write_text("97\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert look([tmp_path]) == look([])


@pytest.mark.parametrize("name", ["memory.events", "memory.oom_control"])
def test_kills_are_counted(name: str, tmp_path: Path) -> None:
    before = look([tmp_path]).kills
    (tmp_path / name).write_text("oom 3\noom_kill 2\n")
    assert look([tmp_path]).kills == before + 2


@pytest.mark.parametrize(
    ("since", "short"),
    [
        ([], False),
        ([Memory(1, 0.5)], False),
        ([Memory(2, 0.5)], True),
        ([Memory(1, 0.96), Memory(1, 0.1)], True),
    ],
    ids=["nothing", "calm", "a-kill", "near-its-limit"],
)
def test_shortness(since: list[Memory], short: bool) -> None:
    assert was_short(Memory(1, 0.5), since) is short


def test_own_groups_are_folders() -> None:
    assert all(folder.is_dir() for folder in cgroup_folders())
    assert cgroup_folders(2**22 + 1) == []
