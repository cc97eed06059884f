from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flows.cli.main import app
from tasks.monitor.drift import DriftReport, DriftTest
from tasks.monitor.runs import MonitorRun, NoNewRows


def result(*, raised: bool) -> MonitorRun:
    test = DriftTest(
        name="quality", statistic="loss", value=1, p=0, certain=raised, raised=raised, why="worse"
    )
    report = DriftReport(
        study="s", model="s", version="1", place="p", time=0, rows=20, labelled=20, files=1,
        tests=(test,), features=(), answers=(), shares={}, metrics={}, promised={},
        alpha=0.01, effect=0.1, incomplete=3,
    )  # fmt: skip
    return MonitorRun(report, "run", Path("monitor.html"))


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        pytest.param(result(raised=False), 0, id="no alarm"),
        pytest.param(result(raised=True), 4, id="alarm"),
        pytest.param(NoNewRows("no file is new"), 0, id="nothing new"),
    ],
)
@pytest.mark.parametrize("json_flag", [True, False], ids=["json", "text"])
def test_the_exit_code_of_monitor_tells_whether_there_is_an_alarm(
    outcome: Any, code: int, json_flag: bool, home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.monitor.watch.monitor_rows", lambda *_, **__: outcome)
    monkeypatch.setattr("flows.cli.monitor.configured_api", lambda _: None)
    arguments = ["monitor", "s", "rows.csv", *(["--json"] if json_flag else [])]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == code, done.output
    if json_flag:
        assert json.loads(done.stdout.splitlines()[-1])["alarm"] == (code == 4)
    elif isinstance(outcome, MonitorRun):
        assert "3 more lack a value" in done.stdout
