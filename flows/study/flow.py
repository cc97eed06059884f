"""The main job: prepare -> (suggest -> train -> evaluate)* -> champion -> report.

dense run digits
prefect deployment run 'study/digits' -p overrides='["search.trials=64"]'
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import Field

from conf.runtime.errors import Held
from flows.deployments.notify import tell
from flows.servers.bootstrap import STUDY_FORM
from flows.study.artifacts import report_is_stale
from flows.study.attempts import AttemptMessage
from flows.study.checked_study import runnable
from flows.study.launch import LAUNCH
from flows.study.session import StudySession
from flows.study.tasks import as_is, crown, evaluate, prepare, report, suggest, train
from tasks.packaging.records import ChampionResult
from tasks.study.champion_state import last_verdict
from tasks.study.events import Reason
from tasks.study.policy import Ask, Promote, Start, Stop, Wait
from tasks.train.engine.outcome import why

# Prefect's pages make a form of these, with the text of the docstring.
STUDY = Field(json_schema_extra=STUDY_FORM)
OVERRIDES = Field(max_length=1_000)
MORE = Field(ge=0, le=100_000)

# The policy bounds how many trials run; two threads wait for each of them.
THREADS = 2 * 1_024

NAME = 80
"""Letters of a run's name, which may be what no study is called."""


def run_name() -> str:
    """The name of the flow run that is starting: its study's, which an override may give."""
    given = [each.partition("=") for each in flow_run.parameters.get("overrides") or ()]
    names = [value for key, _, value in given if key.strip() == "name"]
    return (names[-1].strip(" \"'") if names else Path(flow_run.parameters["study"]).stem)[:NAME]


@flow(
    name="study",
    flow_run_name=run_name,
    task_runner=ThreadPoolTaskRunner(max_workers=THREADS),  # type: ignore[arg-type]
    persist_result=False,
    on_completion=[tell],
    on_failure=[tell],
    on_crashed=[tell],
    on_cancellation=[tell],
)
def study(
    study: Annotated[str, STUDY] = "digits",
    overrides: Annotated[list[str], OVERRIDES] = [],  # noqa: B006
    more: Annotated[int, MORE] = 0,
) -> State:
    """Run a study, or continue it where it stands.

    Args:
        study: Which study. A run goes on where the last one of that study ended.
        overrides: Settings that replace the file's, a line each: `search.trials=64`.
        more: So many trials beyond the last target.
    """
    from_command = LAUNCH.get() is not None
    config = runnable(study, overrides, allow_path=from_command)
    try:
        session = StudySession.open(config, more=more, flow_run=str(flow_run.id))
    except Held as error:
        if from_command:
            raise
        return Completed(message=f"Skipped: {error}", name="Skipped")
    with session:
        session.begin_record(prepare(as_is(session)))
        session.recover_attempts()
        session.measure_gpu_share()
        reason = search(session)
        try:
            wanted = session.study.champion.enabled and reason != "user"
            champion = crown(as_is(session)) if wanted else None
        finally:  # the search deserves its report, also where the champion failed
            session.free_disk()
            if report_is_stale(session.home, session.study.name):
                report(as_is(session))
        return last_state(session, reason, champion)


def search(session: StudySession) -> Reason:
    """Suggest, train and evaluate until the policy says stop."""
    while True:
        match session.next_action():
            case Ask(count):
                session.asked(suggest(as_is(session), count))
            case Promote() as promotion:
                session.journal.promoted(promotion)
            case Start() as start:
                job = as_is(session.begin(start))
                trained = train.submit(as_is(session), job)
                done = evaluate.submit(as_is(session), job, trained)  # type: ignore[call-overload]
                over = AttemptMessage(start.number, start.attempt)
                done.add_done_callback(lambda _, over=over: session.inbox.put(over))
            case Wait():
                session.wait()
            case Stop(reason):
                return session.journal.stopped(reason)


def last_state(session: StudySession, reason: Reason, champion: ChampionResult | None) -> State:
    """What the flow run ends as; the record in MLflow is whole before it says `Completed`."""
    again = f"`dense run {session.study.name}` continues it"
    if complaint := session.end_record():
        return Failed(message=complaint)
    if session.stopping:
        return Cancelled(message=f"Stopped by the user; {again}")
    searched_only = not session.study.champion.enabled and session.state.best is not None
    if champion is None and not searched_only:
        return Failed(message=no_champion(session))
    if session.idle and not champion_is_new(champion):
        return Completed(message=f"Skipped: nothing is left to do ({reason})", name="Skipped")
    done = session.state.count("complete", "stopped", "paused", "failed")
    won = f"{champion.model} version {champion.version}" if champion else "no champion was wanted"
    return Completed(message=f"{done} trials; {won}")


def champion_is_new(champion: ChampionResult | None) -> bool:
    """Whether this run crowned somebody."""
    return champion is not None and champion.decision.verdict == "crown"


def no_champion(session: StudySession) -> str:
    """Why a study has no champion: the gate's reasons, or what the first failed trial died of."""
    verdict, reason = last_verdict({line.step: line.facts for line in session.state.champion})
    if verdict == "refused":
        return f"Ended without a champion: the gate refused the only candidate ({reason})"
    failed = next((t for t in session.state.trials if t.status == "failed"), None)
    broken = [t for t in session.state.trials if t.broken]
    if broken and session.state.best is None:
        first = broken[0]
        return (
            f"Ended without a champion: {len(broken)} trials came to an end and none keeps the "
            f"constraints; the first (trial {first.number}) violates {' and '.join(first.broken)}"
        )
    if failed is None:
        return "Ended without a champion: no trial came to an end"
    return (
        f"Ended without a champion: every trial failed, the first (trial {failed.number}): "
        f"{why(failed.cause, failed.message)}"
    )
