"""What MLflow is to say of a study and its trials: a pure function of journal and folders.

The same trial gives the same tags, parameters, metrics and times whenever it is projected, so that
logging again changes nothing and a record that was lost is made again as it was.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from conf.loading.digests import derived_seed, study_digest
from conf.loading.trial_values import apply_values
from conf.schema.study import Study
from tasks.evaluate.evaluation import Evaluation
from tasks.study.state import State
from tasks.study.trial import Trial
from tasks.track import sessions
from tasks.train.folder import MetricLine
from tasks.train.spec import Result

Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]
TERMINAL: frozenset[str] = frozenset({"FINISHED", "FAILED"})
"""What is not logged again at the next start; a killed run may be continued."""

PARENT = "mlflow.parentRunId"
NAME = "mlflow.runName"
NOTE = "mlflow.note.content"


class Point(NamedTuple):
    """One value of a metric. Two that are equal in everything are one in MLflow."""

    key: str
    value: float
    time: int
    """Milliseconds since the epoch."""
    step: int
    """Finished epochs."""


@dataclass(frozen=True)
class Facts:
    """What is known of a study besides its journal."""

    study: Study
    home: str
    """Identity of the home."""
    data_key: str
    sessions: tuple[sessions.SessionRecord, ...] = ()

    @cached_property
    def digest(self) -> str:
        """Identity of the study."""
        return study_digest(self.study)


@dataclass(frozen=True)
class Files:
    """What a trial's folder holds."""

    lines: tuple[MetricLine, ...] = ()
    result: Result | None = None
    evaluation: Evaluation | None = None
    devices: int = 1


def milliseconds(seconds: float) -> int:
    """Seconds since the epoch as MLflow counts them."""
    return round(seconds * 1000)


def common_tags(facts: Facts, session: sessions.SessionRecord | None) -> dict[str, str]:
    """Tags that every run of a study carries: MLflow's filters do not look at the parent."""
    tags = {
        "dense.study": facts.study.name,
        "dense.study_digest": facts.digest,
        "dense.data": facts.data_key,
        "dense.home": facts.home,
        "mlflow.source.name": f"dense run {facts.study.name}",
        "mlflow.source.type": "LOCAL",
    }
    if session and session.commit:
        tags["dense.git_commit"] = session.commit
    if session and session.flow_run:
        tags["prefect.flow_run_id"] = session.flow_run
    return tags


def trial_status(trial: Trial, *, live: bool) -> Status | None:
    """A trial's status in MLflow; None before its first attempt.

    `live` says whether a driver is at work: without one, what is unfinished was interrupted.
    """
    if trial.attempt == 0:
        return None
    if trial.status in ("queued", "running"):
        return "RUNNING" if live else "KILLED"
    return "FAILED" if trial.status == "failed" else "FINISHED"


def trial_tags(facts: Facts, trial: Trial, *, live: bool) -> dict[str, str]:
    """Tags of a trial's run."""
    status = trial_status(trial, live=live)
    outcomes = {"RUNNING": "running", "KILLED": "interrupted"}
    tags = common_tags(facts, sessions.of(facts.sessions, trial.started))
    tags |= {
        NAME: f"{trial.number}-{trial.digest[:8]}",
        "dense.kind": "trial",
        "dense.trial": str(trial.number),
        "dense.digest": trial.digest,
        "dense.batch": str(trial.batch),
        "dense.origin": trial.origin,
        "dense.seed": str(derived_seed(facts.study.seed, trial.number)),
        "dense.outcome": outcomes.get(status or "", trial.status),
    }
    if trial.reports:
        tags["dense.rung"] = str(trial.rung)
    if trial.halvings:
        tags["dense.halvings"] = str(trial.halvings)
    if trial.status == "failed":
        tags["dense.cause"] = trial.cause or "error"
        tags[NOTE] = trial.message or f"The trial failed: {trial.cause}."
    elif trial.over and trial.message:
        tags[NOTE] = trial.message  # what was mended on its way
    return tags


def signature_tags(files: Files) -> dict[str, str]:
    """What the values of metrics of texts are to be quoted with."""
    known = files.evaluation.signatures if files.evaluation else {}
    return {f"dense.signature.{name}": text for name, text in known.items()}


def trial_params(trial: Trial) -> dict[str, str]:
    """Every active searched setting, defaults included, under its dotted key."""
    return {key: str(value) for key, value in trial.values.items()}


def trial_points(trial: Trial, files: Files) -> list[Point]:
    """Every value of every metric: the curve and the machine's use by epoch, the rungs, and what is
    known at the end."""
    points = [
        Point(name, value, milliseconds(line.time), line.epoch)
        for line in files.lines
        for name, value in (*line.metrics.items(), *line.system.items())
    ]
    if files.lines:
        # From being asked to its first step: queue, slot, process and model.
        first = files.lines[0]
        waited = max(0.0, first.time - first.seconds - trial.asked)
        points.append(Point("seconds/wait", waited, milliseconds(first.time), 0))
    times = {line.epoch: milliseconds(line.time) for line in files.lines}
    for rung, value in trial.reports:
        if rung in times:
            points.append(Point("objective", value, times[rung], rung))
    if trial.over and trial.ended is not None:
        points += _at_end(trial, files, milliseconds(trial.ended))
    return points


def _at_end(trial: Trial, files: Files, time: int) -> list[Point]:
    """Metrics whose last value is the trial's: of its best epoch, and of the whole of it.

    What is of the whole is of step 0: MLflow's pages make bars of it, and a curve of the rest.
    """
    result = files.result
    if result is not None and not result.answers(trial.attempt, trial.until or 0):
        result = None
    on_gpu = result is not None and result.gpu_memory is not None
    values = {
        "seconds/train": trial.seconds,
        "gpu_hours": trial.seconds * files.devices / 3600 if on_gpu else 0.0,
    }
    curves: dict[str, float] = {}
    if trial.value is not None and trial.status != "failed":
        # Behind the rungs, so that it is the last value.
        (curves if trial.reports else values)["objective"] = trial.value
    if result is not None and result.params_total:
        values["params/total"] = float(result.params_total)
        values["params/trainable"] = float(result.params_trainable)
    if result is not None and result.latency_ms is not None:
        values["latency_ms"] = result.latency_ms
    last = files.lines[-1].metrics if files.lines else {}
    for name, interval in files.evaluation.metrics.items() if files.evaluation else ():
        # The last epoch's own point says it already when that epoch was the best.
        if last.get(f"val/{name}") != interval.value:
            curves[f"val/{name}"] = interval.value
    return [
        *(Point(name, value, time, 0) for name, value in values.items()),
        *(Point(name, value, time, trial.epoch) for name, value in curves.items()),
    ]


def config_yaml(facts: Facts, trial: Trial) -> str:
    """The trial's whole configuration."""
    return as_yaml(apply_values(facts.study.trial_config, trial.values).model_dump(mode="json"))


def as_yaml(value: object) -> str:
    """YAML in the order of the sections."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe")
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    text = io.StringIO()
    yaml.dump(value, text)
    return text.getvalue()


def study_points(facts: Facts, state: State) -> list[Point]:
    """The best value so far, by the number of trials that have ended: how the search went."""
    sign = -1.0 if facts.study.evaluate.direction == "minimize" else 1.0
    ended = sorted(
        (trial.ended, trial.number, trial.value)
        for trial in state.trials
        if trial.over and trial.ended is not None and trial.status != "failed" and not trial.broken
        if trial.value is not None
    )
    points: list[Point] = []
    for step, (time, _, value) in enumerate(ended, start=1):
        best = max(sign * value, sign * points[-1].value) if points else sign * value
        name = f"best/{facts.study.evaluate.objective}"
        points.append(Point(name, sign * best, milliseconds(time), step))
    return points


def study_status(state: State, *, live: bool) -> Status:
    """Status of the parent run."""
    if live:
        return "RUNNING"
    if state.stopped in (None, "user"):
        return "KILLED"
    return "FAILED" if state.stopped == "failures" else "FINISHED"


def study_tags(
    facts: Facts, state: State, *, live: bool, report: str = "", trials: str = ""
) -> dict[str, str]:
    """Tags of the parent run; `report` and `trials` are where MLflow's pages show the study's page
    and all trials."""
    latest = facts.sessions[-1] if facts.sessions else None
    tags = common_tags(facts, latest) | {
        NAME: facts.study.name,
        "dense.kind": "study",
        "dense.seed": str(facts.study.seed),
        "dense.outcome": "running" if live else state.stopped or "interrupted",
        NOTE: description(facts, state, report, trials),
    }
    if state.best is not None:
        tags["dense.best"] = str(state.best.number)
    return tags


def description(facts: Facts, state: State, report: str = "", trials: str = "") -> str:
    """The text that MLflow shows above a study's runs; of it, folded, the first line."""
    study, run, page = facts.study, None, None
    if facts.sessions:
        run, page = facts.sessions[-1].flow_run, facts.sessions[-1].flow_run_page
    ways = {"All trials side by side": trials, "The report": report, "The run in Prefect": page}
    objective = study.evaluate.objective
    keys = ", ".join(f"`{key}`" for key in study.search.space) or "nothing"
    parts = [
        " · ".join(f"[{name}]({link})" for name, link in ways.items() if link),
        f"Search for the best `{objective}` over {keys} by `{study.search.strategy}`: "
        f"{state.asked} trials asked, {state.count('complete')} complete, "
        f"{state.count('failed')} failed.",
    ]
    if state.best is not None and state.best.value is not None:
        parts.append(f"Best: trial {state.best.number}, {objective} {state.best.value:.6g}.")
    if run and not page:
        parts.append(f"Prefect flow run: `{run}`.")
    parts.append(f"Continue it with `dense run {study.name}`.")
    return "\n\n".join(filter(None, parts))


def study_times(facts: Facts, state: State) -> tuple[int, int]:
    """When the parent run began and last ended, in milliseconds since the epoch."""
    begun = facts.sessions[0].time if facts.sessions else state.time or 0.0
    return milliseconds(begun), milliseconds(max(begun, state.time or 0.0))
