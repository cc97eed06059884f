"""The steps of a study as Prefect tasks: thin shells over the rooms below `tasks/`.

Nothing here is cached or retried by Prefect: the journal and the trial folders are what makes a
step happen once, also across flow runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar, cast

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Failed
from prefect.utilities.annotations import quote

from conf.loading.trial_values import values_of
from conf.schema.evaluate import direction_of
from conf.schema.study import Study
from flows.study.artifacts import show_report
from flows.study.attempts import AttemptMessage, TrainingJob, evaluated
from flows.study.session import StudySession
from tasks.champion.behaviour_cases import check_cases
from tasks.champion.context import ChampionContext
from tasks.champion.pipeline import run_champion_step
from tasks.packaging.records import ChampionResult
from tasks.prepare import Prepared
from tasks.prepare.store.pin import pinned
from tasks.study.event_builders import enqueued, observations, pending
from tasks.study.reader import StudyRecord
from tasks.study.state import State as StudyState
from tasks.suggest.problem import Problem
from tasks.suggest.propose import propose
from tasks.suggest.types import EarlierTrial, Proposal, Settings, SkoptOptions
from tasks.track import store
from tasks.train.engine.outcome import Outcome, why
from tasks.train.folder import TrialFolder
from tasks.train.preflight import make_ready

T = TypeVar("T")

LOG_CHARACTERS = 8_000
"""Of a failed trial's log, shown in Prefect: its end, where the error is."""


def as_is(value: T) -> T:
    """A value that Prefect hands to a task without looking for futures in all that it holds."""
    return cast(T, quote(value))


@task(name="prepare", task_run_name="prepare {session.study.name}", cache_policy=NO_CACHE)
def prepare(session: StudySession) -> Prepared:
    """Clean, split and store the data, or open what a run before has stored; fetch the weights of
    pre-trained models."""
    study, home, print_line = session.study, session.home, session.display.print_line
    prepared = pinned(study, home, print_line)
    make_ready(study, prepared.card, home, print_line)
    check_cases(study, prepared.card, home)
    return prepared


@task(
    name="suggest",
    task_run_name="{session.study.name} batch {session.state.batches}, suggest {count}",
    cache_policy=NO_CACHE,
)
def suggest(session: StudySession, count: int) -> Proposal:
    """The next batch: a function of the study's record and of nothing else."""
    study, state = session.study, session.state
    problem = problem_of(study, state, session.earlier)
    return propose(problem, count, strategy=study.search.strategy, enqueued=enqueued(state))


def problem_of(study: Study, state: StudyState, earlier: tuple[EarlierTrial, ...] = ()) -> Problem:
    """What the suggestion step solves: the space, its constraints, and all trials so far."""
    search = study.search
    return Problem.of(
        study.model_dump(mode="json")["search"]["space"],
        first=state.asked,
        constraints=search.constraints,
        direction=study.evaluate.direction,
        seed=study.seed,
        observations=observations(state),
        pending=pending(state),
        start=values_of(study, study.trial_config),
        state=state.memory,
        settings=Settings(
            cost_aware=search.cost_aware,
            earlier=earlier,
            also=tuple((name, direction_of(name)) for name in study.evaluate.also),
            skopt=SkoptOptions(**search.skopt.model_dump()) if search.skopt else SkoptOptions(),
        ),
    )


@task(name="champion", task_run_name="champion of {session.study.name}", cache_policy=NO_CACHE)
def crown(session: StudySession) -> ChampionResult | None:
    """Train, score and register the winner, if it is new and better than the champion."""
    record, uri = StudyRecord.read(session.home, session.study.name), session.tracker.uri
    session.display.set_status("choosing the champion")
    with store.at_work(uri, f"`dense run {session.study.name}` goes on from there"):
        context = ChampionContext(
            record,
            session.data,
            session.engine.run,
            store.client(uri),
            session.journal.champion_step,
            tags={"prefect.flow_run_id": session.flow_run},
            stopping=lambda: session.stopping,
        )
        return run_champion_step(context)


@task(name="train", task_run_name="{job.label}", cache_policy=NO_CACHE)
def train(session: StudySession, job: TrainingJob) -> Outcome | State:
    """One attempt at a trial, in a process of its own."""
    try:
        outcome = session.engine.run(job.spec, job.folder)
    except BaseException as error:
        session.inbox.put(AttemptMessage(job.spec.number, job.spec.attempt, error=error))
        raise
    if outcome.outcome in ("complete", "paused"):
        return outcome
    session.inbox.put(AttemptMessage(job.spec.number, job.spec.attempt, outcome))
    message = why(outcome.cause, outcome.message)
    if outcome.outcome == "interrupted":
        return Cancelled(message=message)
    get_run_logger().error("%s\n%s", message, log_end(TrialFolder(job.folder).log))
    return Failed(message=message)


def log_end(path: Path) -> str:
    """The end of a trial's log, from the start of a line."""
    try:
        text = path.read_bytes()[-LOG_CHARACTERS:].decode(errors="replace")
    except OSError:
        return ""  # it died before it wrote any
    return text if len(text) < LOG_CHARACTERS else text.partition("\n")[2]


@task(name="evaluate", task_run_name="evaluate {job.label}", cache_policy=NO_CACHE)
def evaluate(session: StudySession, job: TrainingJob, outcome: Outcome) -> State | None:
    """Metrics with intervals from the trial's saved predictions; then the trial has ended."""
    outcome = evaluated(job.folder, job.spec.config, outcome)
    session.inbox.put(AttemptMessage(job.spec.number, job.spec.attempt, outcome))
    if outcome.outcome == "failed":
        return Failed(message=why(outcome.cause, outcome.message))
    return None


@task(name="report", task_run_name="report on {session.study.name}", cache_policy=NO_CACHE)
def report(session: StudySession) -> Path:
    """The study's page, an artifact of its run in MLflow; its leaderboard, a table in Prefect."""
    # What draws it loads SciPy: not while the first trial waits.
    from tasks.report.page import write_page
    from tasks.report.samples import surroundings

    session.display.set_status("writing the report")
    record = StudyRecord.read(session.home, session.study.name)
    around = surroundings(
        record, session.data, store.shown(session.tracker.uri), session.display.print_line
    )
    page = write_page(record, around)
    session.tracker.artifact(page)
    if trouble := show_report(session.home, record, session.tracker, page):
        session.display.print_line(trouble)
    return page
