"""Trials on a real Ray cluster of two nodes: a node dies, and nothing is lost."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from conf.runtime.home import Home
from conf.schema.run import Resources
from conf.schema.study import Study
from tasks.train.engine import locks
from tasks.train.engine.outcome import Outcome
from tasks.train.folder import TrialFolder
from tasks.train.ray.engine import RayEngine
from tests.integration.train.conftest import MakeSpec, assert_same
from tests.integration.train.test_processes import assert_nothing_left, began
from tests.waiting import wait_until

NODE = {"object_store_memory": 80 * 2**20, "include_dashboard": False}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster of one node; tests add others, and kill them."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **NODE})
    yield made
    made.shutdown()


@pytest.fixture
def resources(cluster: Any) -> Resources:
    return Resources(engine="ray", address=cluster.address)


def in_thread(
    run: Callable[[], Outcome], ends: dict[int, Outcome], number: int
) -> threading.Thread:
    """A thread that runs an attempt and keeps its outcome."""
    thread = threading.Thread(target=lambda: ends.update({number: run()}))
    thread.start()
    return thread


def trial_of(folder: TrialFolder) -> psutil.Process:
    """The process that trains, which has begun."""
    holder = locks.read_holder(folder.lock)
    assert holder is not None
    return psutil.Process(holder.pid)


def held(folder: TrialFolder) -> bool:
    """Whether a trial has begun; it goes no further then."""
    if found := began(folder):
        trial_of(folder).suspend()
    return found


def actor_of(trial: psutil.Process) -> psutil.Process:
    """The process that stands for a trial's node: the parent of its trial server."""
    server = trial.parent()
    assert server is not None
    actor = server.parent()
    assert actor is not None
    return actor


def is_gone(process: psutil.Process) -> bool:
    """Whether a process has ended, reaped or not."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.timeout(400)
def test_a_node_that_dies_loses_no_epoch_and_leaves_no_process(
    cluster: Any,
    resources: Resources,
    study: Study,
    train_home: Home,
    make_spec: MakeSpec,
    tmp_path: Path,
) -> None:
    second_node = cluster.add_node(num_cpus=1, **NODE)
    handler = signal.getsignal(signal.SIGTERM)
    ends: dict[int, Outcome] = {}
    folders = [TrialFolder(tmp_path / str(number)) for number in range(2)]
    with RayEngine(train_home, resources, study.model) as engine:
        assert signal.getsignal(signal.SIGTERM) is handler, "Ray took the study's signal"
        assert engine.slots == 2
        threads = [
            in_thread(lambda n=n: engine.run(make_spec(), folders[n].path), ends, n)
            for n in range(2)
        ]
        wait_until(lambda: sum(held(folder) for folder in folders) == len(folders))
        trials = [trial_of(folder) for folder in folders]
        actors = {actor_of(trial) for trial in trials}
        assert len(actors) == 2, "both on one node"
        cluster.remove_node(second_node, allow_graceful=False)
        # A trial that goes on before its actor is dead may still reach its end.
        wait_until(lambda: any(is_gone(actor) for actor in actors))
        for trial in trials:
            with contextlib.suppress(psutil.NoSuchProcess):
                trial.resume()
        for thread in threads:
            thread.join(100)
        (lost,) = [n for n, end in ends.items() if end.outcome != "complete"]
        assert (ends[lost].outcome, ends[lost].cause) == ("failed", "infrastructure"), ends
        assert_nothing_left(train_home, folders[lost])
        assert engine.run(make_spec(attempt=2), folders[lost].path).outcome == "complete"
        wait_until(lambda: engine.slots == 1)
    assert_same(folders[lost], folders[1 - lost])
    assert not list(train_home.path.glob(".shared-*"))
