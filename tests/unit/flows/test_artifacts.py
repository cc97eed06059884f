"""What a run shows on its page in Prefect."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from conf.runtime.home import Home
from flows.servers import state
from flows.study import artifacts
from flows.study.display import StudyProgress
from flows.study.launch import LAUNCH, Launch
from flows.study.tasks import LOG_CHARACTERS, log_end
from tasks.track.writer import Tracker
from tests.unit.study.examples import trial_of


def progress(**changes: Any) -> StudyProgress:
    facts = {
        "study": "letters",
        "objective": "accuracy",
        "total": 8,
        "done": 3,
        "failed": 1,
        "running": {},
        "best": trial_of(2, "complete", 0.91, 1.0),
        "seconds": 9.0,
        "seconds_left": None,
    }
    return StudyProgress(**{**facts, **changes})


@pytest.mark.parametrize(
    ("changes", "percent", "text"),
    [
        ({}, 37.5, "3 of 8 trials, 1 failed; best accuracy 0.9100 (trial 2)"),
        ({"done": 0, "failed": 0, "best": None}, 0.0, "0 of 8 trials"),
        ({"total": 0, "done": 0, "failed": 0, "best": None}, 0.0, "0 of 0 trials"),
    ],
    ids=["on-its-way", "begun", "nothing-to-do"],
)
def test_progress_is_a_number_and_a_sentence(
    changes: dict[str, Any], percent: float, text: str
) -> None:
    assert artifacts.shown(progress(**changes)) == (percent, text)


def test_a_prefect_that_is_away_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def __enter__(self) -> Gone:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def create_artifact(self, made: object) -> None:
            tried.append(made)
            raise OSError("away")

    tried: list[object] = []
    monkeypatch.setattr(artifacts, "get_client", lambda **_: Gone())
    monkeypatch.setattr(artifacts, "PAUSE", 0.01)
    run = "9d0b5ad4-6f6c-4b6c-8b3c-1d4a8f3f0f55"
    with artifacts.ProgressArtifact("letters", run) as artifact:
        artifact.show(progress())
    assert tried, "it was not even tried"


@dataclass
class Recorded:
    uri: str

    def report_path(self, name: str) -> str:
        return f"#/experiments/1/runs/a/artifacts/{name}"


def test_the_report_is_where_mlflows_pages_are(home: Home) -> None:
    page = Path("letters.html")
    own, served = (cast(Tracker, Recorded(uri)) for uri in ("sqlite:///x", "http://there:5000/"))
    assert artifacts.report_page(home, own, page) is None
    path = "#/experiments/1/runs/a/artifacts/letters.html"
    assert artifacts.report_page(home, served, page) == f"http://there:5000/{path}"
    mlflow = state.Service(name="mlflow", pid=1, health="", page="http://127.0.0.1:5000", log="")
    state.write(home, state.Servers(services=(mlflow,)))
    assert artifacts.report_page(home, own, page) is None, "of a keeper who was killed"
    with state.take(home, 0.0):
        assert artifacts.report_page(home, own, page) == f"http://127.0.0.1:5000/{path}"


def test_a_server_without_pages_is_not_linked_to() -> None:
    token = LAUNCH.set(Launch(pages=False))
    try:
        assert artifacts.flow_run_page("9d0b5ad4-6f6c-4b6c-8b3c-1d4a8f3f0f55") is None
    finally:
        LAUNCH.reset(token)


def test_of_a_log_the_end_is_shown_from_the_start_of_a_line(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    assert log_end(log) == ""
    log.write_text("short\n")
    assert log_end(log) == "short\n"
    log.write_text("".join(f"line {number}\n" for number in range(5_000)))
    end = log_end(log)
    assert len(end) <= LOG_CHARACTERS and end.endswith("line 4999\n")
    assert end.splitlines()[0] in {f"line {number}" for number in range(5_000)}
