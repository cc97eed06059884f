"""What a run shows on its page in Prefect: how far it is, its leaderboard, the way to its report.

The progress is written by a thread of its own, the newest state only and at most every two
seconds: Prefect may be slow or away, and a study does not wait for it.
"""

from __future__ import annotations

import contextlib
import contextvars
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from uuid import UUID

from prefect.artifacts import create_link_artifact, create_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.utilities.urls import url_for

from flows.servers import state
from flows.study.display import StudyProgress
from flows.study.launch import LAUNCH
from tasks.report import format as words
from tasks.report.leaderboard import as_records
from tasks.study.identity import JOURNAL_FILE
from tasks.track.writer import Tracker

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

    from conf.runtime.home import Home
    from tasks.study.reader import StudyRecord

PAUSE = 2.0
END_SECONDS = 5.0


class Shown(NamedTuple):
    """A progress artifact's content."""

    percent: float
    text: str


def shown(progress: StudyProgress) -> Shown:
    """How far a study is, as a number and in words."""
    total = max(progress.total, 1)
    text = f"{progress.done} of {words.count(progress.total, 'trial')}"
    if progress.failed:
        text += f", {progress.failed} failed"
    if (best := progress.best) is not None and best.value is not None:
        text += f"; best {progress.objective} {words.number(best.value)} (trial {best.number})"
    return Shown(round(100 * progress.done / total, 1), text)


class ProgressArtifact:
    """The progress of one flow run; `show` returns at once."""

    def __init__(self, study: str, flow_run: str) -> None:
        self._key = f"{study}-progress"
        self._flow_run = flow_run
        self._newest: Shown | None = None
        self._written: Shown | None = None
        self._id: UUID | None = None
        self._end = threading.Event()
        # With the caller's settings: a thread alone has those of when Prefect was imported.
        run = contextvars.copy_context().run
        self._thread = threading.Thread(target=run, args=(self._run,), name="shown", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._end.set()
        self._thread.join(END_SECONDS)

    def show(self, progress: StudyProgress) -> None:
        """Show this from now on."""
        self._newest = shown(progress)

    def _run(self) -> None:
        # What Prefect does not take is not worth a word: the study's own record has it.
        with contextlib.suppress(Exception), get_client(sync_client=True) as client:
            ended = False
            while not ended:
                ended = self._end.wait(PAUSE)
                if self._newest not in (None, self._written):
                    with contextlib.suppress(Exception):
                        self._write(client, self._newest)

    def _write(self, client: SyncPrefectClient, newest: Shown) -> None:
        text = {"data": newest.percent, "description": newest.text}
        if self._id is not None:
            client.update_artifact(self._id, ArtifactUpdate(**text))
        else:
            made = ArtifactCreate(
                key=self._key, type="progress", flow_run_id=UUID(self._flow_run), **text
            )
            self._id = client.create_artifact(made).id
        self._written = newest


def flow_run_page(flow_run: str) -> str | None:
    """Where a browser finds the run; None where the server has no pages, and is soon gone."""
    launch = LAUNCH.get()
    return url_for("flow-run", obj_id=flow_run) if launch is None or launch.pages else None


def show_report(home: Home, record: StudyRecord, tracker: Tracker, page: Path) -> str:
    """Put the leaderboard and the way to the report on the run's page.

    Returns:
        What went wrong with it, in words; empty when nothing did: the report itself is written.
    """
    name = record.study.name
    rows: list[dict[str, Any]] = as_records(record)
    try:
        create_table_artifact(
            rows,
            key=f"{name}-leaderboard",
            description=f"The best trials of {name}; the whole page is {page}",
        )
        if link := report_page(home, tracker, page):
            create_link_artifact(
                link,
                link_text=f"The report of {name}",
                key=f"{name}-report",
                description="History, importance, curves, the champion's test, how to repeat it.",
            )
    except Exception as error:  # whatever the way to a server raises
        return f"Prefect does not show the leaderboard ({type(error).__name__})"
    return ""


def report_is_stale(home: Home, study: str) -> bool:
    """Whether the study's page is missing or older than its journal.

    An earlier run may have died between its last event and its page.
    """
    page, journal = home.report(study), home.study(study) / JOURNAL_FILE
    return not page.exists() or page.stat().st_mtime_ns < journal.stat().st_mtime_ns


def report_page(home: Home, tracker: Tracker, page: Path) -> str | None:
    """Where a browser finds the report: in MLflow's pages. None where nobody serves them."""
    uri: str | None = tracker.uri
    if not tracker.uri.startswith("http"):
        uri = state.page(home, "mlflow")
    return f"{uri.rstrip('/')}/{tracker.report_path(page.name)}" if uri else None
