from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from conf.runtime.errors import DenseError
from tasks.train.engine.client import TrialServer
from tasks.train.engine.protocol import RunCommand, ServerLost
from tasks.train.engine.recover import ProcessEnd, outcome_of
from tasks.train.folder import TrialFolder
from tasks.train.trial.server import Server


def test_a_trial_for_which_there_is_no_process_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_process() -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", no_process)
    reader, writer = os.pipe()
    server = Server(writer, {1: 1_234})
    server.handle(RunCommand(run=2, folder=tmp_path))
    report = json.loads(os.read(reader, 1_000))
    os.close(reader)
    os.close(writer)
    assert report["id"] == 2 and server.pids == {1: 1_234}
    found = outcome_of(TrialFolder(tmp_path), 1, 1, ProcessEnd(0.0, report["status"]))
    assert (found.outcome, found.cause) == ("failed", "infrastructure")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_server_that_cannot_be_understood_is_lost_and_nobody_waits_for_it(tmp_path: Path) -> None:
    command = ("-c", "import time; print('noise', flush=True); time.sleep(60)")
    server = TrialServer.start(tmp_path / "log", command)
    with pytest.raises(DenseError, match="the trial server ended"):
        server.wait_ready(30)
    assert server.submit(tmp_path).wait(10) == ServerLost()
    server.close(seconds=0.1)
