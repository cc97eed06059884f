"""Pareto front of a study with several objectives, and its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from conf.schema.evaluate import direction_of
from tasks.report import format as words
from tasks.report.figures.base import Figure, hover, plain, readable_range
from tasks.report.leaderboard import LeaderboardRow
from tasks.study.reader import StudyRecord
from tasks.suggest.acquisition.pareto import pareto_front


def pareto_trials(record: StudyRecord) -> list[int]:
    """Numbers of the trials on the Pareto front, the best by the first objective first.

    Empty with a single objective.
    """
    evaluate = record.study.evaluate
    if not evaluate.also:
        return []
    losses: dict[int, tuple[float, ...]] = {}
    for _, _, number in record.state.ranked:
        trial = record.state.trials[number]
        known = [trial.measures.get(name) for name in evaluate.also]
        if trial.status == "complete" and trial.value is not None and None not in known:
            others = (
                loss(name, value)
                for name, value in zip(evaluate.also, known, strict=True)
                if value is not None
            )
            losses[number] = (record.state.sign * trial.value, *others)
    return pareto_front(losses)


def loss(name: str, value: float) -> float:
    """A measure, turned so that less is better."""
    return value if direction_of(name) == "minimize" else -value


def pareto_figures(
    rows: Sequence[LeaderboardRow], objective: str, sign: float, also: Sequence[str]
) -> dict[str, Figure]:
    """A figure for each further objective, by the identity of its place on the page."""
    return {
        f"front-{index}": _figure(rows, objective, sign, name) for index, name in enumerate(also)
    }


def _figure(rows: Sequence[LeaderboardRow], objective: str, sign: float, name: str) -> Figure:
    """The first objective by another: the trials on the front of these two, and the rest."""
    shown = [row for row in rows if row.value is not None and name in row.measures]
    pairs = {r.trial: (loss(name, r.measures[name]), sign * (r.value or 0.0)) for r in shown}
    edge = pareto_front(pairs)
    on_it = sorted((row for row in shown if row.trial in edge), key=lambda row: pairs[row.trial])
    behind = [row for row in shown if row.trial not in edge]
    low, high = readable_range([row.value for row in shown if row.value is not None], sign)
    pad = 0.06 * (high - low)
    return {
        "data": [
            _points(behind, objective, name, "the others", "$quiet"),
            {**_points(on_it, objective, name, "beaten by none in these two", "$good"),
             "mode": "lines+markers", "line": {"color": "$good", "width": 1.5, "shape": "hv"}},
        ],
        "layout": {
            "xaxis": {"title": {"text": plain(name)}},
            "yaxis": {"title": {"text": plain(objective)}, "range": [low - pad, high + pad]},
            "showlegend": True,
        },
    }  # fmt: skip


def _points(
    rows: Sequence[LeaderboardRow], objective: str, name: str, label: str, colour: str
) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "markers", "name": label,
        "x": [row.measures[name] for row in rows], "y": [row.value for row in rows],
        "text": [f"{hover(row, objective)}<br>{_as_text(row.measures)}" for row in rows],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"size": 9, "color": colour, "line": {"width": 1.5, "color": "$panel"}},
    }  # fmt: skip


def _as_text(measures: Mapping[str, float]) -> str:
    return "<br>".join(f"{plain(name)} {words.setting(value)}" for name, value in measures.items())
