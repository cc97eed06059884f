"""`dense run` and `dense check`: start what takes long side by side, then call the flow."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from conf.home import Home
from conf.load import load_study
from conf.study import Study
from flows.display import Display, make_display
from flows.launch import EXIT_STOPPED, LAUNCH, Launch

if TYPE_CHECKING:
    from prefect.states import State


def run_study(name: str, overrides: Sequence[str], *, more: int, json_only: bool) -> int:
    """Run or continue a study in this process; the exit code.

    Raises:
        BadInput, Held: the study cannot be run; whatever can be known early is, before anything
            was started.
    """
    study = load_study(name, overrides, allow_path=True)
    home = Home.open()
    refuse_held(home, study)
    display = make_display(quiet=json_only)
    with ExitStack() as stack:
        stack.callback(display.close)
        token = LAUNCH.set(start(home, stack, display))
        stack.callback(LAUNCH.reset, token)
        state = call_flow(name, overrides, more)
        display.close()
        return end(state, json_only)


def refuse_held(home: Home, study: Study) -> None:
    """Say at once what the flow would say after its servers are up: held, or another study."""
    from conf.errors import Held
    from tasks.study.identity import refuse_another, stored_study
    from tasks.study.lock import holder_of

    folder = home.study(study.name)
    if holder := holder_of(folder / "lock"):
        raise Held(
            f"the study {study.name!r} is held by {holder}; wait for its end, "
            f"or end it with `dense stop {study.name}`"
        )
    if first := stored_study(folder):
        refuse_another(first, study, folder)


def start(home: Home, stack: ExitStack, display: Display) -> Launch:
    """Start the trial server, Prefect's server and MLflow side by side."""
    from flows.server import PrefectServer, configured_api
    from tasks.track.store import warm
    from tasks.train.client import TrialServer

    trials = TrialServer.start(home.logs / "trial-server.log")
    stack.callback(trials.close)
    server = None
    if (url := configured_api(home)) is None:
        server = stack.enter_context(PrefectServer(home))
        url = server.url
        os.environ["PREFECT_HOME"] = str(home.prefect)
    os.environ["PREFECT_API_URL"] = url
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    threading.Thread(target=warm, args=(home,), name="mlflow", daemon=True).start()
    import flows.study  # noqa: F401  Prefect and the rooms load while the servers start

    stack.callback(flush_prefect)
    if server is not None:
        server.wait()
    return Launch(display, trials)


def call_flow(name: str, overrides: Sequence[str], more: int) -> State:
    """The study flow's last state."""
    from flows.study import study

    return study(name, list(overrides), more, return_state=True)  # type: ignore[no-any-return]


def flush_prefect() -> None:
    """Send what Prefect still holds back, while its server is there to take it."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (APILogWorker, EventsWorker):
        worker.drain_all(timeout=5)


def end(state: State, json_only: bool) -> int:
    """Print what the run came to, and give its exit code; errors of the flow are raised."""
    result = state.result(raise_on_failure=False)
    if isinstance(result, BaseException):
        raise result
    from flows.views import print_end

    if json_only:
        print(json.dumps(result))
    else:
        print_end(result)
    if state.is_cancelled():
        return EXIT_STOPPED
    return 0 if state.is_completed() else 1


def check_study(name: str, overrides: Sequence[str], *, attempt: bool) -> None:
    """Validate a study and print its plan; with `attempt`, also train and validate one batch."""
    from conf.plan import plan_text

    study = load_study(name, overrides, allow_path=True)
    home = Home.open()
    print(plan_text(study, home))
    if attempt:
        from flows.rehearsal import rehearse

        print(rehearse(study, home))
