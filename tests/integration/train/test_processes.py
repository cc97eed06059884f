"""Whatever happens to a trial: an outcome with its cause, no process left, no slot leaked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from conf.runtime.file_lock import FileLock, is_locked
from conf.runtime.home import Home
from conf.schema.study import Study
from tasks.prepare import prepare
from tasks.train.engine import locks
from tasks.train.engine.client import TrialServer
from tasks.train.engine.local import LocalEngine
from tasks.train.engine.outcome import Outcome
from tasks.train.engine.recover import settle
from tasks.train.folder import TrialFolder
from tests.integration.train.conftest import FAULTY, MakeSpec, assert_same, living_group
from tests.specs import spec_of
from tests.waiting import wait_until

WAIT = 60.0


def began(folder: TrialFolder) -> bool:
    holder = locks.read_holder(folder.lock)
    return holder is not None and holder.began is not None


def group_of(folder: TrialFolder) -> int:
    holder = locks.read_holder(folder.lock)
    assert holder is not None
    return holder.group


def assert_nothing_left(home: Home, folder: TrialFolder) -> None:
    """No living process of the trial, and every lock free."""
    wait_until(lambda: not living_group(group_of(folder)), 10)
    assert not is_locked(folder.lock)
    for path in home.slots.rglob("*"):
        if not path.is_dir():
            lock = FileLock.try_acquire(path)
            assert lock is not None, f"slot {path.name} leaked"
            lock.close()


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("raise", "error"),
        ("nan", "nan"),
        ("oom", "oom"),
        ("disk", "infrastructure"),
        ("exit", "infrastructure"),
        ("die-in-batch", "killed"),
        ("children-raise", "error"),
    ],
)
def test_a_failure_is_told_by_its_cause(
    fault: str,
    cause: str,
    engine: LocalEngine,
    train_home: Home,
    make_spec: MakeSpec,
    tmp_path: Path,
) -> None:
    outcome = engine.run(make_spec(fault), tmp_path)
    assert (outcome.outcome, outcome.cause, outcome.epochs) == ("failed", cause, 1)
    assert outcome.message
    assert_nothing_left(train_home, TrialFolder(tmp_path))


@pytest.mark.parametrize("fault", ["sleep", "children-sleep"])
def test_a_trial_over_its_time_is_killed_with_all_it_forked(
    fault: str, engine: LocalEngine, train_home: Home, make_spec: MakeSpec, tmp_path: Path
) -> None:
    outcome = engine.run(make_spec(fault, trial_seconds=4.0), tmp_path)
    assert (outcome.outcome, outcome.cause) == ("failed", "timeout")
    assert 4.0 <= outcome.seconds < 8.0
    assert_nothing_left(train_home, TrialFolder(tmp_path))


def test_children_that_a_trial_leaves_are_ended(
    engine: LocalEngine, train_home: Home, make_spec: MakeSpec, tmp_path: Path
) -> None:
    assert engine.run(make_spec("children"), tmp_path).outcome == "complete"
    assert_nothing_left(train_home, TrialFolder(tmp_path))


def test_a_trial_that_hangs_is_killed_and_may_be_tried_again(
    server: TrialServer, train_home: Home, make_spec: MakeSpec, tmp_path: Path
) -> None:
    engine = LocalEngine(train_home, slots=2, server=server, hang_seconds=3.0)
    outcome = engine.run(make_spec("sleep"), tmp_path)
    assert (outcome.outcome, outcome.cause, outcome.epochs) == ("failed", "infrastructure", 1)
    assert_nothing_left(train_home, TrialFolder(tmp_path))


@pytest.mark.parametrize(
    ("fault", "outcome", "cause"),
    [("fit-works", "complete", None), ("fit-sleeps", "failed", "infrastructure")],
)
def test_a_fit_without_batches_is_alive_while_its_process_works(
    fault: str,
    outcome: str,
    cause: str | None,
    server: TrialServer,
    train_home: Home,
    tmp_path: Path,
) -> None:
    wine = {"source": "builtin", "name": "wine"}
    study = Study.model_validate({"name": "wine", "data": wine, "model": {"kind": "knn"}})
    spec = spec_of(study.trial_config, prepare(study, train_home), fault, until=1)
    engine = LocalEngine(train_home, slots=2, server=server, hang_seconds=3.0)
    end = engine.run(spec, tmp_path)
    assert (end.outcome, end.cause) == (outcome, cause)
    assert end.seconds > 3.0
    assert_nothing_left(train_home, TrialFolder(tmp_path))


def test_waiting_for_a_slot_costs_no_seconds_of_the_trial(
    engine: LocalEngine, train_home: Home, make_spec: MakeSpec, tmp_path: Path
) -> None:
    folder = train_home.slots / os.uname().nodename
    taken = [FileLock.acquire(folder / str(number), timeout=0) for number in range(2)]
    outcomes: list[Outcome] = []
    thread = threading.Thread(
        target=lambda: outcomes.append(engine.run(make_spec(trial_seconds=20.0), tmp_path))
    )
    thread.start()
    time.sleep(2.0)
    assert not began(TrialFolder(tmp_path))
    released = time.monotonic()
    for lock in taken:
        lock.close()
    thread.join(WAIT)
    assert outcomes[0].outcome == "complete"
    assert outcomes[0].seconds <= time.monotonic() - released


def test_a_running_trial_writes_its_progress_and_removes_it_at_its_end(
    engine: LocalEngine, make_spec: MakeSpec, tmp_path: Path
) -> None:
    folder = TrialFolder(tmp_path)
    spec = make_spec("slow", until=2)
    thread = threading.Thread(target=engine.run, args=(spec, tmp_path))
    thread.start()

    def second_epoch() -> bool:
        progress = folder.read_progress(1)
        return progress is not None and progress.epoch == 2

    wait_until(second_epoch)
    progress = folder.read_progress(1)
    assert progress is not None
    assert (progress.first_epoch, progress.epochs, progress.steps) == (1, 2, -(-1078 // 128))
    assert 0 < progress.step <= progress.steps and progress.seconds > 1.0
    thread.join(WAIT)
    assert not folder.progress.exists()


def test_a_stop_saves_the_epoch_and_the_trial_goes_on_later(
    server: TrialServer,
    train_home: Home,
    make_spec: MakeSpec,
    reference: TrialFolder,
    tmp_path: Path,
) -> None:
    engine = LocalEngine(train_home, slots=2, server=server)
    outcomes: list[Outcome] = []
    thread = threading.Thread(
        target=lambda: outcomes.append(engine.run(make_spec("slow"), tmp_path))
    )
    thread.start()
    wait_until(lambda: began(TrialFolder(tmp_path)))
    engine.stop(grace=30.0)
    thread.join(WAIT)
    assert (outcomes[0].outcome, outcomes[0].cause) == ("interrupted", "user")
    assert outcomes[0].epochs == 1
    refused = engine.run(make_spec(attempt=2), tmp_path / "other")
    assert (refused.outcome, refused.cause) == ("interrupted", "user")
    again = LocalEngine(train_home, slots=2, server=server)
    assert again.run(make_spec(attempt=2), tmp_path).outcome == "complete"
    assert_same(TrialFolder(tmp_path), reference)


@pytest.mark.parametrize("how", ["grace", "kill"])
def test_a_stop_kills_what_does_not_end(
    how: str, server: TrialServer, train_home: Home, make_spec: MakeSpec, tmp_path: Path
) -> None:
    engine = LocalEngine(train_home, slots=2, server=server)
    outcomes: list[Outcome] = []
    thread = threading.Thread(
        target=lambda: outcomes.append(engine.run(make_spec("children-sleep"), tmp_path))
    )
    thread.start()
    folder = TrialFolder(tmp_path)
    wait_until(lambda: began(folder) and len(living_group(group_of(folder))) == 4)
    if how == "grace":
        engine.stop(grace=0.5)
    else:
        engine.kill()
    thread.join(WAIT)
    assert (outcomes[0].outcome, outcomes[0].cause) == ("interrupted", "user")
    assert_nothing_left(train_home, folder)


def test_the_trial_servers_death_ends_its_trials_and_another_starts_and_is_closed(
    train_home: Home, make_spec: MakeSpec, reference: TrialFolder, tmp_path: Path
) -> None:
    server = TrialServer.start(tmp_path / "log", (str(FAULTY),))
    with LocalEngine(train_home, slots=2, server=server) as engine:
        folder = TrialFolder(tmp_path / "trial")
        outcomes: list[Outcome] = []
        thread = threading.Thread(
            target=lambda: outcomes.append(engine.run(make_spec("children-sleep"), folder.path))
        )
        thread.start()
        wait_until(lambda: began(folder) and len(living_group(group_of(folder))) == 4)
        os.kill(server.pid, signal.SIGKILL)
        thread.join(WAIT)
        assert (outcomes[0].outcome, outcomes[0].cause) == ("failed", "killed")
        assert_nothing_left(train_home, folder)
        assert engine.run(make_spec(attempt=2), folder.path).outcome == "complete"
        other = psutil.Process(engine.server().pid)
        assert other.pid != server.pid
    assert not other.is_running() or other.status() == psutil.STATUS_ZOMBIE
    assert_same(folder, reference)


DRIVER = """
import sys
from pathlib import Path
from conf.runtime.home import Home
from conf.schema.study import Study
from tasks.prepare import prepare
from tasks.train.engine.client import TrialServer
from tasks.train.engine.local import LocalEngine
from tasks.train.spec import TrialSpec

home, folder, server = map(Path, sys.argv[1:4])
LocalEngine(Home.open(home), slots=2, server=TrialServer.start(home / "log", (str(server),))).run(
    TrialSpec.read(folder), folder
)
"""


@pytest.mark.parametrize(
    "also_the_server",
    [
        pytest.param(False, id="driver"),
        pytest.param(True, id="driver-and-server", marks=pytest.mark.long),
    ],
)
def test_the_drivers_death_ends_everything(
    also_the_server: bool,
    train_home: Home,
    engine: LocalEngine,
    make_spec: MakeSpec,
    reference: TrialFolder,
    tmp_path: Path,
) -> None:
    folder = TrialFolder(tmp_path / "trial")
    make_spec("children-sleep").write(folder.path)
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(train_home.path), str(folder.path), str(FAULTY)],
        env=os.environ | {"DENSE_HOME": str(train_home.path)},
    )
    wait_until(lambda: began(folder) and len(living_group(group_of(folder))) == 4)
    trial = group_of(folder)
    if also_the_server:
        stat = Path(f"/proc/{trial}/stat").read_text().rpartition(")")[2].split()
        os.kill(int(stat[1]), signal.SIGSTOP)  # it can no longer end its trials
    driver.kill()
    driver.wait()
    if also_the_server:
        os.kill(int(stat[1]), signal.SIGKILL)
    outcome = settle(folder, attempt=1, until=4)
    assert (outcome.outcome, outcome.cause, outcome.epochs) == ("interrupted", "driver", 1)
    assert outcome.seconds > 0
    assert_nothing_left(train_home, folder)
    assert engine.run(make_spec(attempt=2), folder.path).outcome == "complete"
    assert_same(folder, reference)


def test_settling_reads_a_result_that_the_driver_did_not_live_to_see(
    reference: TrialFolder,
) -> None:
    assert settle(reference, attempt=1, until=4).outcome == "complete"
    assert settle(reference, attempt=2, until=4).outcome == "interrupted"
    assert settle(reference, attempt=1, until=3).outcome == "interrupted"


def test_settling_ends_what_still_runs(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    code = (
        "import os, sys, time; from pathlib import Path; from tasks.train.engine import locks\n"
        "os.setpgid(0, 0)\n"
        "locks.lock_trial(Path(sys.argv[1]), wait=1)\n"
        "time.sleep(100) if os.fork() else time.sleep(100)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(folder.lock)])
    wait_until(lambda: locks.read_holder(folder.lock))
    assert settle(folder, attempt=1, until=4).outcome == "interrupted"
    assert not living_group(holder.pid)
    holder.wait()


def test_more_trials_than_slots_take_turns(
    engine: LocalEngine, train_home: Home, make_spec: MakeSpec, tmp_path: Path
) -> None:
    outcomes: list[Outcome] = []

    def run(number: int) -> None:
        outcomes.append(engine.run(make_spec(number=number), tmp_path / str(number)))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert [outcome.outcome for outcome in outcomes] == ["complete"] * 4
    results = [json.loads((tmp_path / str(n) / "result.json").read_text()) for n in range(4)]
    assert {result["slot"] for result in results} == {0, 1}


def test_what_a_trial_prints_goes_to_its_log(
    engine: LocalEngine, make_spec: MakeSpec, tmp_path: Path
) -> None:
    engine.run(make_spec("raise"), tmp_path)
    assert "ValueError: the model is broken" in (tmp_path / "log.txt").read_text()


def test_a_trial_may_train_on_all_rows_and_keep_its_last_epoch(
    engine: LocalEngine, make_spec: MakeSpec, tmp_path: Path
) -> None:
    spec = make_spec(validation=None, keep="last", until=3)
    outcome = engine.run(spec, tmp_path)
    assert (outcome.outcome, outcome.epochs, outcome.value) == ("complete", 3, None)
    folder = TrialFolder(tmp_path)
    assert folder.weights.exists() and not folder.predictions.exists()
