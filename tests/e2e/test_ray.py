"""A whole study on a Ray cluster of two nodes: whatever is killed, it ends as one that was not."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests.e2e.command import Command, kill, of
from tests.e2e.same import assert_same

NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster of one node; tests add others."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args=NODE)
    yield made
    made.shutdown()


@pytest.fixture
def ray(cluster: Any) -> tuple[Any, tuple[str, ...]]:
    """A second node, and what a study is told to use both."""
    told = ("resources.engine=ray", f"resources.address={cluster.address}")
    return cluster.add_node(**NODE), told


def actors() -> list[psutil.Process]:
    """The Ray workers that keep trial servers."""
    found = (p for p in psutil.process_iter() if "tasks.train.trial.server" in cmdline(p))
    parents = {parent.pid: parent for p in found if (parent := p.parent()) is not None}
    return [p for p in parents.values() if "".join(cmdline(p)).startswith("ray::NodeActor")]


def cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_a_node_and_a_worker_that_die_in_the_middle_lose_nothing(
    dense: Command, straight: Command, cluster: Any, ray: tuple[Any, tuple[str, ...]]
) -> None:
    node, told = ray
    process = dense.start("run", str(dense.study(epochs=4, champion=True)), *told, "--json")
    dense.until(lambda lines: len(of(lines, "attempt")) >= 2)
    time.sleep(1.0)
    cluster.remove_node(node, allow_graceful=False)
    dense.until(lambda lines: len(of(lines, "finished")) >= 2)
    dense.until(lambda lines: lines[-1]["event"] == "attempt")
    kill(actors()[0])
    out, err = process.communicate(timeout=400)
    assert process.returncode == 0, err
    assert json.loads(out)["outcomes"]["complete"] == 4, "nothing else is printed"
    causes = [line["cause"] for line in of(dense.journal(), "finished")]
    assert "infrastructure" in causes
    dense.assert_no_process_left()
    assert_same(dense, straight)


def test_a_driver_killed_on_the_cluster_is_continued(
    dense: Command, straight: Command, cluster: Any, ray: tuple[Any, tuple[str, ...]]
) -> None:
    node, told = ray
    study = str(dense.study(epochs=4, champion=True))
    process = dense.start("run", study, *told)
    dense.until(lambda lines: len(of(lines, "attempt")) >= 2)
    time.sleep(2.0)
    kill(process)
    process.communicate()
    dense.assert_no_process_left()
    deadline = time.monotonic() + 60
    while actors():
        assert time.monotonic() < deadline, "the driver's death did not end its actors"
        time.sleep(0.2)
    dense.json("run", study, *told)
    assert "driver" in {line["by"] for line in of(dense.journal(), "interrupted")}
    assert_same(dense, straight)
    cluster.remove_node(node)


def test_a_cluster_that_does_not_answer_is_bad_input(
    dense: Command, cluster: Any, ray: tuple[Any, tuple[str, ...]]
) -> None:
    wrong = ("resources.engine=ray", "resources.address=127.0.0.1:1")
    done = dense.run("run", str(dense.study()), *wrong)
    assert done.returncode == 2, done.stderr
    assert "no Ray cluster answers at 127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr
    cluster.remove_node(ray[0])
