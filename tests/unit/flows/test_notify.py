"""Who is told how a study ended, and that nobody need be."""

from __future__ import annotations

import logging
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from prefect.states import Completed, Failed

from flows.deployments import notify


class Block:
    """Keeps what it is told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.heard: list[tuple[str, str]] = []
        self.error = error

    def notify(self, body: str, subject: str, **_: Any) -> None:
        if self.error:
            raise self.error
        self.heard.append((subject, body))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> FlowRun:
    monkeypatch.setattr("prefect.utilities.urls.url_for", lambda *_, **__: "http://here/run")
    return FlowRun(id=uuid4(), flow_id=uuid4(), name="digits")


def test_an_end_is_told_with_what_it_came_to_and_a_link(
    run: FlowRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = Block()
    monkeypatch.setattr(notify, "configured", lambda: block)
    notify.tell(None, run, Completed(message="16 trials; digits version 1"))
    notify.tell(None, run, Completed(message="Skipped: nothing is left", name="Skipped"))
    notify.tell(None, run, Failed(message="oom"))
    assert block.heard == [
        ("digits: Completed", "16 trials; digits version 1\nhttp://here/run"),
        ("digits: Failed", "oom\nhttp://here/run"),
    ]


def test_nobody_configured_is_nobody_told_and_trouble_is_a_line(
    run: FlowRun, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(notify, "configured", lambda: None)
    notify.tell(None, run, Failed(message="oom"))
    monkeypatch.setattr(notify, "configured", lambda: Block(OSError("no way out")))
    # Else Prefect starts a server for the line, in a thread that outlives the test.
    apart = temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False})
    with apart, caplog.at_level(logging.WARNING):
        notify.tell(None, run, Failed(message="oom"))
    assert "OSError: no way out" in caplog.text and notify.NOTIFY_VARIABLE in caplog.text
