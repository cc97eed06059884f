"""An alarm's event, and the study that a real Prefect server makes of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conf.home import Home
from flows.server import PrefectServer
from tasks.monitor.successor import successor_of

ROOT = Path(__file__).parents[2]
EMIT = """
import json, sys
from prefect.events import emit_event
from flows.command import flush_prefect
from flows.monitor import SUCCESSOR
payload = json.loads(sys.argv[1])
emit_event(SUCCESSOR, resource={"prefect.resource.id": "dense.model.digits"}, payload=payload)
flush_prefect()
"""


@pytest.mark.long
@pytest.mark.timeout(600)
def test_an_alarm_becomes_a_study_that_learns_from_the_last(home: Home) -> None:
    import json

    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from conf.load import load_study

    wanted = successor_of(load_study("digits", ["train.lr=3e-3"]), time.time())
    payload = {"study": wanted.study, "overrides": list(wanted.overrides)}
    with PrefectServer(home, full=True) as server:
        url = server.wait()
        env = {**os.environ, "PREFECT_API_URL": url, "PREFECT_HOME": str(home.prefect)}
        for command in (["-m", "flows.deploy", "dense"], ["-c", EMIT, json.dumps(payload)]):
            subprocess.run([sys.executable, *command], env=env, cwd=ROOT, check=True, timeout=300)
        with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
            end = time.monotonic() + 60
            while not (runs := client.read_flow_runs()) and time.monotonic() < end:
                time.sleep(0.5)
    (run,) = runs
    found = load_study(run.parameters["study"], run.parameters["overrides"])
    assert found.name.startswith("digits-2") and found.champion.model == "digits"
    assert found.search.learn_from == ("digits",) and found.train.lr == 3e-3
