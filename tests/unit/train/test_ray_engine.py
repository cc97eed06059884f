"""What a trial takes of a Ray node, and what is said where a cluster cannot be used."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from conf.loading.load import load_study
from conf.runtime.errors import BadConfig, BadInput
from conf.runtime.file_lock import FileLock
from conf.runtime.home import Home
from conf.schema.run import Resources
from conf.schema.study import TrialConfig
from tasks.train.ray.checks import cause_of, need_of, need_ray, places
from tasks.train.ray.engine import RayEngine
from tasks.train.ray.node_actor import storage_error

CPU = {"threads": 2, "devices": 1, "gpu_share": 1, "gpus": False}


@pytest.mark.parametrize(
    ("node", "wanted", "held"),
    [
        ({"CPU": 8.0}, {}, 4),
        ({"CPU": 8.0}, {"devices": 2}, 2),
        ({"CPU": 1.0}, {}, 0),
        ({"CPU": 64.0}, {"gpus": True}, 0),
        ({"CPU": 64.0, "GPU": 4.0}, {"gpus": True}, 4),
        ({"CPU": 64.0, "GPU": 4.0}, {"gpus": True, "devices": 2}, 2),
        ({"CPU": 64.0, "GPU": 4.0}, {"gpus": True, "gpu_share": 3}, 12),
        ({"CPU": 4.0, "GPU": 4.0}, {"gpus": True, "gpu_share": 3}, 2),
    ],
    ids=["cpu", "two-processes", "too-small", "no-gpu", "gpu", "two-gpus", "thirds", "few-cores"],
)
def test_a_node_holds_as_many_trials_as_its_scarcest_part(
    node: dict[str, float], wanted: dict[str, int], held: int
) -> None:
    assert places(node, need_of(**(CPU | wanted))) == held


def test_a_node_that_does_not_see_the_home_is_named(tmp_path: Path) -> None:
    found = storage_error(tmp_path / ".shared-1", "1")
    assert os.uname().nodename in found and str(tmp_path) in found and "DENSE_HOME" in found
    (tmp_path / ".shared-1").write_text("2")
    assert "does not see the home" in storage_error(tmp_path / ".shared-1", "1")


def test_storage_without_locks_is_refused(tmp_path: Path) -> None:
    marker = tmp_path / ".shared-1"
    marker.write_text("1")
    assert "does not see locks" in storage_error(marker, "1")
    with FileLock.acquire(marker, timeout=0):
        assert storage_error(marker, "1") == ""


def test_memory_that_ran_out_on_a_node_is_told_from_its_death() -> None:
    assert cause_of("OutOfMemoryError")[0] == "oom"
    assert cause_of("ActorDiedError")[0] == "infrastructure"


def test_without_ray_one_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BadInput, match=r"pip install 'dense\[ray\]', or choose local"):
        need_ray()


@pytest.mark.parametrize("how", ["named", "environment", "noted"])
def test_a_cluster_that_is_gone_is_said_at_once(
    how: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("ray")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        gone = f"127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    if how == "noted":
        (tmp_path / "ray").mkdir()
        (tmp_path / "ray" / "ray_current_cluster").write_text(gone)
    elif how == "environment":
        monkeypatch.setenv("RAY_ADDRESS", gone)
    resources = Resources(engine="ray", address=gone if how == "named" else "auto")
    with pytest.raises(BadInput, match=f"no Ray cluster answers.*{gone}.*ray start --head"):
        RayEngine(Home.open(tmp_path / "home"), resources, TrialConfig().model)
    assert not list((tmp_path / "home").glob(".shared-*"))


def test_on_ray_trials_of_several_devices_share_no_gpu() -> None:
    shared = ["resources.engine=ray", "resources.devices=2", "resources.gpu_share=2"]
    with pytest.raises(BadConfig, match="gpu_share: 1"):
        load_study("digits", shared)
    with pytest.raises(BadConfig, match=r"resources\.address"):
        load_study("digits", ["resources.address=ray://elsewhere:10001"])


def test_the_driver_of_a_local_study_imports_no_ray() -> None:
    code = "import sys, flows.study.engines; assert not {'ray', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
