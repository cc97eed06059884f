"""Events from what happened: what the driver appends after an attempt and after a proposal."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from conf.schema.evaluate import Evaluate
from conf.schema.search import Scalar
from tasks.study.events import Asked, Finished, ForecastRecord, Interrupted, Reported, Suggested
from tasks.study.state import State
from tasks.study.trial import Trial
from tasks.train.engine.outcome import Outcome

if TYPE_CHECKING:  # numerical libraries load with it
    from tasks.suggest.types import Observation, Proposal

_PLAIN = Evaluate()


def ending(
    state: State, number: int, end: Outcome, time: float, wanted: Evaluate = _PLAIN
) -> tuple[Reported | Finished | Interrupted, ...]:
    """The lines that record the end of a trial's attempt: at a rung its report first.

    `wanted` says which measures are recorded, and what they have to keep.

    Written in part by a driver that dies, they are completed by asking again after the restart.
    """
    trial = state.trials[number]
    told = {"number": number, "attempt": trial.attempt, "time": time}
    told |= {"seconds": end.seconds, "epochs": end.epochs}
    if end.outcome == "interrupted":
        return (Interrupted.model_validate({**told, "by": end.cause}),)
    finished = Finished.model_validate({**told, **_outcome(end), **_measured(end, wanted)})
    if finished.outcome != "paused" or trial.rung == trial.until:
        return (finished,)
    report = {"number": number, "rung": trial.until, "value": end.value, "time": time}
    return Reported.model_validate(report), finished


def _measured(end: Outcome, wanted: Evaluate) -> dict[str, object]:
    """What a trial that trained in full is worth beside its objective."""
    if end.outcome != "complete":
        return {}
    known = {name: end.measures[name] for name in wanted.needed if name in end.measures}
    values = {**known, wanted.objective: end.value}
    broken = [
        text
        for text, limit in zip(wanted.constraints, wanted.limits, strict=True)
        if (value := values.get(limit.name)) is None or not limit.satisfied(value)
    ]
    return {"measures": known, "broken": broken}


def _outcome(end: Outcome) -> dict[str, object]:
    """What came of an attempt. One that ends well without an objective is no success: it could be
    compared with nothing."""
    value = end.value if end.value is not None and math.isfinite(end.value) else None
    if value is None and end.outcome in ("complete", "paused"):
        message = end.message or f"it ended with an objective of {end.value}"
        return {"outcome": "failed", "cause": "nan", "message": message}
    return {"outcome": end.outcome, "cause": end.cause, "value": value, "message": end.message}


def asking(
    state: State,
    proposal: Proposal,
    digest: Callable[[Mapping[str, Scalar]], str],
    time: float,
    seconds: float = 0.0,
) -> Asked:
    """The `asked` line of a proposal that took `seconds`.

    `digest` gives the identity of a configuration.
    """
    suggestions = tuple(
        Suggested(number=s.number, values=s.values, digest=digest(s.values), origin=s.origin)
        for s in proposal.suggestions
    )
    return Asked(
        batch=state.batches,
        first=state.asked,
        suggestions=suggestions,
        state=proposal.state,
        exhausted=proposal.exhausted,
        dropped=len(proposal.dropped),
        forecast=_forecast(proposal),
        time=time,
        seconds=round(seconds, 3),
    )


def _forecast(proposal: Proposal) -> ForecastRecord | None:
    """What the record keeps of a forecast: its seconds would tell two runs of one study apart."""
    found = proposal.forecast
    if found is None or not (math.isfinite(found.gain) and math.isfinite(found.regret)):
        return None
    return ForecastRecord(gain=found.gain, regret=found.regret)


def observations(state: State) -> list[Observation]:
    """What the suggestion step learns from: every ended trial, and every report at a rung."""
    from tasks.suggest.types import Observation

    found = []
    for trial in state.trials:
        for epochs, value in trial.reports:
            found.append(
                Observation(trial.number, trial.values, value, "paused", None, None, epochs)
            )
        if trial.status in ("complete", "stopped", "failed"):
            found.append(_observed(trial))
    return found


def _observed(trial: Trial) -> Observation:
    """An ended trial; what breaks a constraint is no more a success than what failed."""
    from tasks.suggest.types import Observation

    failed = trial.status == "failed" or bool(trial.broken)
    return Observation(
        trial.number,
        trial.values,
        None if failed else trial.value,
        "failed" if failed else trial.status,  # type: ignore[arg-type]
        "constraint" if trial.broken else trial.cause,
        trial.seconds,
        measures=trial.measures,
    )


def pending(state: State) -> list[tuple[int, Mapping[str, Scalar]]]:
    """Trials that were asked and have not ended: (number, values), in number order."""
    waiting = [number for _, number in state.ready]
    return [(number, state.trials[number].values) for number in sorted([*state.running, *waiting])]


def enqueued(state: State) -> list[Mapping[str, Scalar]]:
    """A person's configurations that were not asked yet, oldest first."""
    return [request.values for request in state.enqueued]
