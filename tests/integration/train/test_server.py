"""The warm server: nothing in it that a fork would break, and little left for a trial to import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from conf.runtime.errors import DenseError
from tasks.train.engine.client import TrialServer, server_environment
from tasks.train.engine.local import LocalEngine
from tasks.train.folder import TrialFolder
from tests.integration.train.conftest import MakeSpec

PROBE = """
import json, os, socket, sys
from pathlib import Path
def refuse(*args, **kwargs):
    raise SystemExit("it asks the network")
connect, socket.socket.connect = socket.socket.connect, refuse
getaddrinfo, socket.getaddrinfo = socket.getaddrinfo, refuse
from tasks.train.trial import server
server.warm_up()
socket.socket.connect, socket.getaddrinfo = connect, getaddrinfo
import cv2, torch
threads = len(os.listdir("/proc/self/task"))
before = set(sys.modules)
from torchmetrics.utilities.imports import _TRANSFORMERS_AVAILABLE
from tasks.train.trial import main as trial
from tasks.train.engine.protocol import Reporter
assert trial.main(Path(sys.argv[1]), Reporter(None, 0)) == 0
print(json.dumps({
    "threads": threads,
    "of cv2": cv2.getNumThreads(),
    "cuda": torch.cuda.is_initialized(),
    "new": sorted(set(sys.modules) - before),
    "unused": sorted(before & {"transformers", "matplotlib"}),
    "said to be there": bool(_TRANSFORMERS_AVAILABLE),
}))
"""


def test_the_server_has_one_thread_asks_no_network_and_a_trial_imports_almost_nothing(
    make_spec: MakeSpec, tmp_path: Path
) -> None:
    make_spec(until=1).write(tmp_path)
    answer = subprocess.run(
        [sys.executable, "-c", PROBE, str(tmp_path)],
        env=server_environment(dict(os.environ)),
        capture_output=True,
        text=True,
        check=True,
    )
    facts = json.loads(answer.stdout.splitlines()[-1])
    assert facts["threads"] == 1 and facts["of cv2"] <= 1
    assert not facts["cuda"]
    assert len(facts["new"]) < 30, facts["new"]
    assert not facts["unused"], "Lightning's libraries load what no trial needs"
    assert facts["said to be there"], "and still believe that it is absent"


def test_a_server_that_cannot_start_is_an_error(tmp_path: Path) -> None:
    server = TrialServer.start(tmp_path / "log", ("-c", "raise SystemExit('no torch here')"))
    try:
        server.wait_ready(30)
    except DenseError as error:
        assert "trial-server.log" in str(error)
    else:
        raise AssertionError("it became ready")
    server.close()
    assert "no torch here" in (tmp_path / "log").read_text()


def test_a_trial_out_of_patience_is_complete_before_its_last_epoch(
    engine: LocalEngine, make_spec: MakeSpec, tmp_path: Path
) -> None:
    raw = make_spec().config.model_dump(mode="json")
    raw["train"] |= {"epochs": 30, "patience": 1, "lr": 1e-9}
    config = type(make_spec().config).model_validate(raw)
    outcome = engine.run(make_spec(config=config), tmp_path)
    assert outcome.outcome == "complete"
    assert outcome.epochs < 30
    assert TrialFolder(tmp_path).weights.exists()


def test_the_last_epoch_is_kept_where_the_specification_says_so(
    engine: LocalEngine, make_spec: MakeSpec, tmp_path: Path
) -> None:
    spec = make_spec(keep="last", until=3, also=[make_spec().validation])
    outcome = engine.run(spec, tmp_path)
    assert (outcome.outcome, outcome.epochs) == ("complete", 3)
    folder = TrialFolder(tmp_path)
    result = json.loads(folder.result.read_text())
    assert result["best_epoch"] == 3
    last = folder.read_metrics()[-1]
    assert result["value"] == last.metrics["val/accuracy"]
    assert last.step > 3 * -(-1078 // 128), "the further part was trained on too"
