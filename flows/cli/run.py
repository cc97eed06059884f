"""`dense run` and `dense check`: start what takes long side by side, then call the flow."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from conf.runtime.errors import DenseError
from conf.runtime.home import Home
from conf.schema.study import Study
from flows.study.checked_study import runnable
from flows.study.display import Display, make_display
from flows.study.launch import EXIT_STOPPED, LAUNCH, Launch

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

WARM_SECONDS = 20.0
"""How long a command that ends waits for what it began to import ahead."""


def run_study(name: str, overrides: Sequence[str], *, more: int, json_only: bool) -> int:
    """Run or continue a study in this process; the exit code.

    Raises:
        BadInput, Held: the study cannot be run; whatever can be known early is, before anything
            was started.
    """
    from tasks.study.writer import check_can_open

    begun = time.monotonic()
    study = runnable(name, overrides, allow_path=True)
    home = Home.open()
    # What the flow would say after its servers are up, said at once.
    check_can_open(home, study)
    display = make_display(quiet=json_only)
    with ExitStack() as stack:
        stack.callback(display.close)
        token = LAUNCH.set(start(study, home, stack, display))
        stack.callback(LAUNCH.reset, token)
        state = call_flow(name, overrides, more)
        display.close()
    return end(study, home, state, time.monotonic() - begun, json_only)


def start(study: Study, home: Home, stack: ExitStack, display: Display) -> Launch:
    """Start the trial server, where trials run here, Prefect's server and MLflow side by side."""
    from flows.servers.prefect import PrefectServer, configured_api
    from tasks.track.store import warm
    from tasks.train.engine.client import TrialServer

    display.set_status("starting the trial server, Prefect and MLflow")
    trials = None
    if study.resources.engine == "local":
        trials = TrialServer.start(home.logs / "trial-server.log")
        stack.callback(trials.close)
    server = None
    if (url := configured_api(home)) is None:
        server = stack.enter_context(PrefectServer(home))
        url = server.url
        os.environ["PREFECT_HOME"] = str(home.prefect)
    os.environ["PREFECT_API_URL"] = url
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    ahead = threading.Thread(target=warm, args=(home,), name="mlflow", daemon=True)
    ahead.start()
    # A command that ends at once waits for it: a thread that is importing then aborts the process.
    stack.callback(ahead.join, WARM_SECONDS)
    import flows.study.flow  # noqa: F401  Prefect and the rooms load while the servers start

    stack.callback(flush_prefect)
    if server is not None:
        server.wait()
    return Launch(display, trials, pages=server is None)


def call_flow(name: str, overrides: Sequence[str], more: int) -> State:
    """The study flow's last state."""
    from prefect.exceptions import TerminationSignal

    from flows.study.flow import study

    try:
        return study(name, list(overrides), more, return_state=True)
    except TerminationSignal:  # Prefect's SIGTERM, before the study listens and after
        raise KeyboardInterrupt from None


def flush_prefect() -> None:
    """Send what Prefect still holds back, while its server is there to take it."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (APILogWorker, EventsWorker):
        worker.drain_all(timeout=5)


def end(study: Study, home: Home, state: State, seconds: float, json_only: bool) -> int:
    """Print what the run came to, and give its exit code; errors of the flow are raised."""
    from prefect.exceptions import CancelledRun, FailedRun

    from flows.cli.show import print_end
    from tasks.report.sections.summary import summary
    from tasks.study.reader import StudyRecord
    from tasks.track import store

    error = state.result(raise_on_failure=False)
    if isinstance(error, Exception) and not isinstance(error, (FailedRun, CancelledRun)):
        raise error
    record, uri = StudyRecord.read(home, study.name), store.tracking_uri(home)
    if json_only:
        page = home.report(study.name)
        found = summary(
            record,
            seconds=seconds,
            report=page if page.exists() else None,
            tracking_uri=store.shown(uri),
            experiment_id=_experiment_id(study.name, uri),
        )
        print(json.dumps(found))
    else:
        print_end(record, store.shown(uri))
        if state.name == "Skipped":
            print(f"nothing was left to do; `dense run {study.name} --more N` adds N trials")
    if not state.is_completed():
        print(f"dense: {state.message}", file=sys.stderr)
    return EXIT_STOPPED if state.is_cancelled() else 0 if state.is_completed() else 1


def _experiment_id(name: str, uri: str) -> str | None:
    """The study's experiment; None where MLflow is away, which the flow's state says already."""
    from mlflow.exceptions import MlflowException

    from tasks.track import experiment, store

    with contextlib.suppress(MlflowException, DenseError):
        if found := experiment.find(store.client(uri), uri, name):
            return str(found.experiment_id)
    return None


def check_study(name: str, overrides: Sequence[str], *, attempt: bool) -> None:
    """Validate a study and print its plan; with `attempt`, also train and validate one batch."""
    from conf.loading.plan import plan_text

    study = runnable(name, overrides, allow_path=True)
    home = Home.open()
    print(plan_text(study, home))
    if attempt:
        from flows.study.dry_run import dry_run

        print(dry_run(study, home))
