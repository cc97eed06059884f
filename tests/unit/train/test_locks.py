"""Locks and slots: held by processes, free with their death."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.runtime.file_lock import FileLock, is_locked
from conf.schema.run import Resources
from tasks.train.engine import locks, slots
from tasks.train.engine.capacity import slot_count, visible_gpus
from tasks.train.engine.slots import Share

HOLD = (
    "import sys, time; from pathlib import Path; from tasks.train.engine import locks\n"
    "import os; os.setpgid(0, 0)\n"
    "locks.lock_trial(Path(sys.argv[1]), wait=1); print('held', flush=True); time.sleep(100)\n"
)


def hold(path: Path) -> subprocess.Popen[str]:
    """A process in a group of its own that holds a lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_a_lock_is_free_when_its_holder_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = hold(path)
    assert is_locked(path) and FileLock.try_acquire(path) is None
    written = locks.read_holder(path)
    assert written is not None and written.pid == holder.pid
    holder.kill()
    holder.wait()
    assert not is_locked(path)


def test_a_holder_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = hold(path)
    assert locks.end_holder(path, wait=10)
    assert holder.wait() == -signal.SIGKILL
    assert not locks.end_holder(path, wait=10)


def test_a_lock_that_another_holds_is_waited_for_only_so_long(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = FileLock.acquire(path)
    with pytest.raises(TimeoutError):
        locks.lock_trial(path, wait=0.1)
    lock.close()
    locks.lock_trial(path, wait=0.1).close()


def test_a_process_that_took_over_a_number_is_not_killed(tmp_path: Path) -> None:
    holder = hold(tmp_path / "lock")
    written = locks.read_holder(tmp_path / "lock")
    assert written is not None and written.started is not None
    locks.kill_group_of(written.model_copy(update={"started": written.started + 1}))
    locks.kill_group_of(written.model_copy(update={"host": "elsewhere"}))
    assert holder.poll() is None
    locks.kill_group_of(written)
    assert holder.wait() == -signal.SIGKILL


def test_the_holder_writes_when_its_trial_began(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = locks.lock_trial(path, wait=1)
    waiting = locks.read_holder(path)
    assert waiting is not None and (waiting.pid, waiting.began) == (os.getpid(), None)
    locks.write_holder(lock, waiting.model_copy(update={"began": 1.5, "attempt": 2}))
    assert json.loads(path.read_text())["began"] == 1.5
    began = locks.read_holder(path)
    assert began is not None and (began.pid, began.began, began.attempt) == (os.getpid(), 1.5, 2)
    lock.close()


@pytest.mark.parametrize("content", ["", "{}", '{"pid": 1, "gro', "null"])
def test_a_holder_that_is_not_written_whole_is_unknown(content: str, tmp_path: Path) -> None:
    (tmp_path / "lock").write_text(content)
    assert locks.read_holder(tmp_path / "lock") is None


def test_slots_are_taken_in_turn_and_given_back(tmp_path: Path) -> None:
    first, second = (slots.take_slot(tmp_path, 2) for _ in range(2))
    assert (first.number, second.number) == (0, 1)
    assert slots.try_slot(tmp_path, 0) is None
    first.release()
    assert slots.take_slot(tmp_path, 2).number == 0


def test_studies_with_other_thread_counts_share_the_cores(tmp_path: Path) -> None:
    one_thread = slots.take_slot(tmp_path, 4, Share(1))  # core 0
    two_threads = slots.take_slot(tmp_path, 2, Share(2))  # cores 2 and 3
    assert (one_thread.number, two_threads.number) == (0, 1)
    assert slots.try_slot(tmp_path, 0, Share(2)) is None
    assert slots.try_slot(tmp_path, 1, Share(1)) is not None
    assert slots.try_slot(tmp_path, 2, Share(1)) is None


def test_a_slot_that_is_half_free_is_left_alone(tmp_path: Path) -> None:
    taken = slots.try_slot(tmp_path, 1, Share(1))
    assert slots.try_slot(tmp_path, 0, Share(2)) is None
    assert slots.try_slot(tmp_path, 0, Share(1)) is not None, "its first core was kept"
    assert taken is not None


def test_a_gpu_is_one_trials_or_shared_never_both(tmp_path: Path) -> None:
    gpus = ("0",)
    packed = [slots.try_slot(tmp_path, n, Share(gpu_share=2), gpus) for n in (0, 1)]
    assert None not in packed
    assert slots.try_slot(tmp_path, 5, Share(), gpus) is None, "the GPU is shared already"
    for slot in packed:
        assert slot is not None
        slot.release()
    alone = slots.try_slot(tmp_path, 5, Share(), gpus)
    assert alone is not None
    assert slots.try_slot(tmp_path, 0, Share(gpu_share=2), gpus) is None


def test_who_is_to_have_a_gpu_for_itself_is_next(tmp_path: Path) -> None:
    gpus = ("0",)
    packed = slots.try_slot(tmp_path, 0, Share(gpu_share=2), gpus)
    assert packed is not None
    looks: list[bool] = []

    def waiting() -> None:
        looks.append(slots.try_slot(tmp_path, 1, Share(gpu_share=2), gpus) is None)
        if len(looks) == 3:
            packed.release()

    alone = slots.take_slot(tmp_path, 2, Share(), gpus, waiting=waiting)
    assert looks == [True] * 3, "others went in before it"
    alone.release()
    assert slots.try_slot(tmp_path, 0, Share(gpu_share=2), gpus) is not None


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (Share(), [("a",), ("b",), ("c",), ("d",)]),
        (Share(devices=2), [("a", "b"), ("c", "d")]),
        (Share(gpu_share=2), [("a",), ("a",), ("b",), ("b",)]),
        (Share(devices=2, gpu_share=2), [("a", "b"), ("a", "b"), ("c", "d"), ("c", "d")]),
    ],
    ids=["one-each", "two-each", "packed", "packed-pairs"],
)
def test_slots_stand_for_gpus(share: Share, expected: list[tuple[str, ...]]) -> None:
    assert [share.gpus(slot, "abcd") for slot in range(len(expected))] == expected


@given(
    slot=st.integers(0, 20), width=st.integers(1, 8), cores=st.sets(st.integers(0, 63), min_size=1)
)
def test_cores_of_two_slots_never_overlap(slot: int, width: int, cores: set[int]) -> None:
    share = Share(width)
    mine = slots.pinned(slot, share, cores)
    assert mine <= cores and mine
    if (slot + 1) * width <= len(cores):
        assert len(mine) == width
        assert not slot or not mine & slots.pinned(slot - 1, share, cores)
    else:
        assert mine == cores


@pytest.mark.parametrize(
    ("resources", "cores", "gpus", "count"),
    [
        ({}, 4, 0, 4),
        ({"threads": 3}, 8, 0, 2),
        ({"threads": 8}, 4, 0, 1),
        ({"slots": 7}, 4, 0, 7),
        ({"devices": 2}, 8, 0, 4),
        ({}, 16, 2, 2),
        ({"gpu_share": 4}, 16, 2, 8),
        ({"devices": 2}, 16, 8, 4),
    ],
    ids=str,
)
def test_as_many_slots_as_the_machine_holds(
    resources: dict[str, Any], cores: int, gpus: int, count: int
) -> None:
    assert slot_count(Resources(**resources), cores=cores, gpus=gpus) == count


@pytest.mark.parametrize(
    ("environment", "gpus"),
    [
        ({}, ("0", "1")),
        ({"CUDA_VISIBLE_DEVICES": ""}, ()),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, ()),
        ({"CUDA_VISIBLE_DEVICES": "3, GPU-1f"}, ("3", "GPU-1f")),
    ],
    ids=str,
)
def test_gpus_are_those_that_may_be_used(
    environment: dict[str, str], gpus: tuple[str, ...], tmp_path: Path
) -> None:
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    assert visible_gpus(environment, tmp_path) == gpus
