"""Memory and disk that really run out."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conf.runtime.home import Home
from tasks.train.engine.local import LocalEngine
from tasks.train.folder import TrialFolder
from tests.integration.train.conftest import MakeSpec, assert_same
from tests.integration.train.test_processes import assert_nothing_left

LIMIT = 64 * 2**20


def test_a_trial_without_address_space_is_out_of_memory_and_goes_on_smaller(
    engine: LocalEngine, train_home: Home, make_spec: MakeSpec, tmp_path: Path
) -> None:
    outcome = engine.run(make_spec("oom-limit"), tmp_path)
    assert (outcome.outcome, outcome.cause, outcome.epochs) == ("failed", "oom", 1)
    assert_nothing_left(train_home, TrialFolder(tmp_path))
    again = engine.run(make_spec(attempt=2, halvings=1), tmp_path)
    assert (again.outcome, again.epochs) == ("complete", 4)


@pytest.fixture
def limited_group(train_home: Home) -> Iterator[Path]:
    """A control group whose processes get 64 MiB; trials find it by the home's file `group`."""
    group = Path("/sys/fs/cgroup/memory") / f"dense-test-{os.getpid()}"
    if not group.parent.is_dir():
        group = Path("/sys/fs/cgroup") / group.name
    try:
        group.mkdir()
        limits = [group / "memory.limit_in_bytes", group / "memory.max"]
        next(each for each in limits if each.exists()).write_text(str(LIMIT))
    except (OSError, StopIteration):
        pytest.skip("control groups cannot be made here")
    (train_home.path / "group").write_text(str(group))
    yield group
    group.rmdir()


@pytest.mark.usefixtures("limited_group")
def test_a_trial_that_the_kernel_kills_for_memory_is_out_of_memory(
    engine: LocalEngine, train_home: Home, make_spec: MakeSpec, tmp_path: Path
) -> None:
    outcome = engine.run(make_spec("oom-group"), tmp_path)
    assert (outcome.outcome, outcome.cause) == ("failed", "oom"), outcome
    assert_nothing_left(train_home, TrialFolder(tmp_path))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few pages."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(path)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("file systems cannot be mounted here")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def test_a_full_disk_costs_no_epoch_that_was_saved(
    small_disk: Path,
    engine: LocalEngine,
    train_home: Home,
    make_spec: MakeSpec,
    reference: TrialFolder,
) -> None:
    folder = TrialFolder(small_disk / "trial")
    outcome = engine.run(make_spec(), folder.path)
    assert (outcome.outcome, outcome.cause) == ("failed", "infrastructure"), outcome
    assert_nothing_left(train_home, folder)
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    assert engine.run(make_spec(attempt=2), folder.path).outcome == "complete"
    assert_same(folder, reference)
