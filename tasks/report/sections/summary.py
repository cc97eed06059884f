"""The one JSON object that `--json` prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conf.loading.digests import study_digest
from tasks.evaluate.evaluation import Interval
from tasks.report.sections.pareto import pareto_trials
from tasks.study.champion_state import CurrentChampion
from tasks.study.reader import StudyRecord


def summary(
    record: StudyRecord,
    *,
    seconds: float,
    report: Path | None,
    tracking_uri: str,
    experiment_id: str | None,
) -> dict[str, Any]:
    """What a study came to, as plain JSON.

    Args:
        record: the study, read after the champion step.
        seconds: of this run of the command.
        report: the page, where one was written.
        tracking_uri: of the MLflow store.
        experiment_id: of the study's experiment there.
    """
    return {
        "study": record.study.name,
        "study_digest": study_digest(record.study),
        "trials": record.state.asked,
        "outcomes": record.outcomes,
        "best": _best(record),
        "front": _front(record),
        "champion": _champion(record),
        "seconds": round(seconds, 3),
        "report": str(report) if report else None,
        "tracking_uri": tracking_uri,
        "experiment_id": experiment_id,
        "home": str(record.home.path),
    }


def _best(record: StudyRecord) -> dict[str, Any] | None:
    best = record.best
    if best is None:
        return None
    objective = record.study.evaluate.objective
    evaluation = best.evaluation
    found = evaluation.metrics.get(objective) if evaluation else None
    return {
        "trial": best.number,
        "objective": {objective: _metric(found, best.trial.value)},
        "values": dict(best.trial.values),
    }


def _front(record: StudyRecord) -> list[dict[str, Any]]:
    """Of several objectives, the trials that none beats in all; empty where there is one."""
    objective, trials = record.study.evaluate.objective, record.state.trials
    return [
        {
            "trial": number,
            "objectives": {objective: trials[number].value, **trials[number].measures},
            "values": dict(trials[number].values),
        }
        for number in pareto_trials(record)
    ]


def _champion(record: StudyRecord) -> dict[str, Any] | None:
    winner = CurrentChampion.of(record)
    if winner is None:
        return None
    evaluation = record.trial(winner.trial).evaluation if winner.trial is not None else None
    validation = dict(evaluation.metrics) if evaluation else {}
    return {
        "model": winner.model,
        "version": winner.version,
        "run_id": winner.run_id,
        "validation": {
            winner.objective: _metric(None, winner.validation),
            **{name: _metric(found, None) for name, found in validation.items()},
        },
        "test": {name: _metric(found, None) for name, found in winner.test.items()},
    }


def _metric(found: Interval | None, value: float | None) -> dict[str, float | None]:
    """Value and ends of the interval; the ends are null where only the value is known."""
    if found is None:
        return {"value": value, "low": None, "high": None}
    return {"value": found.value, "low": found.low, "high": found.high}
