"""Events of the end of an attempt and of a proposal, and the input of the suggestion step."""

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


def end_events(
    state: State, number: int, outcome: Outcome, time: float, evaluate: Evaluate = _PLAIN
) -> tuple[Reported | Finished | Interrupted, ...]:
    """The events that record the end of a trial's attempt; at a rung its report comes first.

    A driver that dies between two of them completes them by calling this again after its restart.

    Args:
        state: the state before the events.
        number: the trial.
        outcome: of its last attempt.
        time: seconds since the epoch.
        evaluate: which measures are recorded, and the constraints on them.
    """
    trial = state.trials[number]
    common = {"number": number, "attempt": trial.attempt, "time": time}
    common |= {"seconds": outcome.seconds, "epochs": outcome.epochs}
    if outcome.outcome == "interrupted":
        return (Interrupted.model_validate({**common, "by": outcome.cause}),)
    finished = Finished.model_validate(
        {**common, **_outcome_fields(outcome), **_measured_fields(outcome, evaluate)}
    )
    if finished.outcome != "paused" or trial.rung == trial.until:
        return (finished,)
    report = {"number": number, "rung": trial.until, "value": outcome.value, "time": time}
    return Reported.model_validate(report), finished


def _measured_fields(outcome: Outcome, evaluate: Evaluate) -> dict[str, object]:
    """The measures of a trial that was trained in full, and the constraints that it violates."""
    if outcome.outcome != "complete":
        return {}
    measures = {
        name: outcome.measures[name] for name in evaluate.needed if name in outcome.measures
    }
    values = {**measures, evaluate.objective: outcome.value}
    violated = [
        text
        for text, limit in zip(evaluate.constraints, evaluate.limits, strict=True)
        if (value := values.get(limit.name)) is None or not limit.satisfied(value)
    ]
    return {"measures": measures, "broken": violated}


def _outcome_fields(outcome: Outcome) -> dict[str, object]:
    """Outcome, cause, value and message of an attempt.

    One that ends well without a finite objective has failed: it could not be compared.
    """
    value = outcome.value if outcome.value is not None and math.isfinite(outcome.value) else None
    if value is None and outcome.outcome in ("complete", "paused"):
        message = outcome.message or f"it ended with an objective of {outcome.value}"
        return {"outcome": "failed", "cause": "nan", "message": message}
    return {
        "outcome": outcome.outcome,
        "cause": outcome.cause,
        "value": value,
        "message": outcome.message,
    }


def asked_event(
    state: State,
    proposal: Proposal,
    digest: Callable[[Mapping[str, Scalar]], str],
    time: float,
    seconds: float = 0.0,
) -> Asked:
    """The `asked` event of a proposal.

    Args:
        state: the state before it.
        proposal: the batch of the suggestion step.
        digest: gives the identity of a configuration.
        time: seconds since the epoch.
        seconds: that the suggestion step took.
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
    """The forecast as it is recorded, without its seconds, which differ between equal runs."""
    forecast = proposal.forecast
    if forecast is None or not (math.isfinite(forecast.gain) and math.isfinite(forecast.regret)):
        return None
    return ForecastRecord(gain=forecast.gain, regret=forecast.regret)


def observations(state: State) -> list[Observation]:
    """The input of the suggestion step: every ended trial, and every report at a rung."""
    from tasks.suggest.types import Observation

    result = []
    for trial in state.trials:
        for epochs, value in trial.reports:
            result.append(
                Observation(trial.number, trial.values, value, "paused", None, None, epochs)
            )
        if trial.status in ("complete", "stopped", "failed"):
            result.append(_observed(trial))
    return result


def _observed(trial: Trial) -> Observation:
    """An ended trial; one that violates a constraint counts as failed."""
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
    """Pending points: (number, values) of trials that have not ended, in number order."""
    waiting = [number for _, number in state.ready]
    return [(number, state.trials[number].values) for number in sorted([*state.running, *waiting])]


def enqueued(state: State) -> list[Mapping[str, Scalar]]:
    """Enqueued configurations that were not asked yet, oldest first."""
    return [request.values for request in state.enqueued]
