"""The head of the page: one sentence, a few figures, and how the study ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from tasks.evaluate.evaluation import Interval
from tasks.report import format as words
from tasks.report.sections.gain import Gain
from tasks.study.champion_state import CurrentChampion
from tasks.study.reader import StudyRecord

_ENDINGS = {
    "trials": "every trial was run",
    "exhausted": "the space has no other configuration",
    "target": "the target was reached",
    "plateau": "no better trial came for a while",
    "regret": "too little was left to gain",
    "failures": "too many trials failed",
    "seconds": "the time was up",
    "gpu_hours": "the GPU-hours were used up",
    "money": "the money was spent",
    "user": "stopped by the user; it can be continued",
}


@dataclass(frozen=True)
class Tile:
    """One figure of the head, with what to know about it."""

    label: str
    value: str
    note: str = ""
    tone: str = ""
    """`good`, `bad`, or plain."""


def headline(record: StudyRecord, winner: CurrentChampion | None) -> str:
    """What the page says first."""
    if winner and winner.objective in winner.test:
        value = words.number(winner.test[winner.objective].value)
        return f"{value} {words.name(winner.objective)} on rows that the search never saw"
    if best := record.best:
        objective = words.name(record.study.evaluate.objective)
        return f"{words.number(best.trial.value)} {objective} on the validation split"
    return "No trial has an objective yet"


def tiles(record: StudyRecord, winner: CurrentChampion | None, gained: Gain | None) -> list[Tile]:
    """The figures below the headline."""
    return [
        *(_champion(winner) if winner else []),
        *_best(record),
        *([_gain(gained)] if gained else []),
        _trials(record),
        Tile(
            "training time",
            words.duration(sum(trial.trial.seconds for trial in record)),
            "all trials together",
        ),
    ]


def when(record: StudyRecord) -> str:
    """Day and time of the first event, and how long it took to the last."""
    if not record.events:
        return "not begun"
    first, last = record.events[0].time, record.events[-1].time
    return (
        f"{datetime.fromtimestamp(first, UTC):%d %B %Y, %H:%M} UTC, {words.duration(last - first)}"
    )


def ending(record: StudyRecord) -> str:
    """Why the last run ended."""
    return _ENDINGS[record.state.stopped] if record.state.stopped else "running"


def _champion(winner: CurrentChampion) -> list[Tile]:
    """The objective on the test split, and one other metric."""
    ordered = sorted(winner.test, key=lambda name: name != winner.objective)[:2]
    return [
        Tile(
            f"champion, test {words.name(name)}",
            *_measured(winner.test[name]),
            tone="good" if name == winner.objective else "",
        )
        for name in ordered
    ]


def _measured(found: Interval) -> tuple[str, str]:
    return words.number(found.value), words.interval(found.low, found.high)


def _best(record: StudyRecord) -> list[Tile]:
    best, objective = record.best, record.study.evaluate.objective
    if best is None:
        return []
    evaluation = best.evaluation
    found = evaluation.metrics.get(objective) if evaluation else None
    value, note = _measured(found) if found else (words.number(best.trial.value), "")
    return [Tile(f"best validation {words.name(objective)}", value, note)]


def _gain(gained: Gain) -> Tile:
    ends = gained.interval
    note = f"{words.signed(ends.low)} to {words.signed(ends.high)}" if ends else ""
    return Tile("gain over trial 0", words.signed(gained.value), note)


def _trials(record: StudyRecord) -> Tile:
    outcomes = record.outcomes
    failed, ended = outcomes["failed"], sum(outcomes.values())
    rest = [f"{many} {name}" for name, many in outcomes.items() if many and name != "complete"]
    note = ", ".join(rest) or "all complete"
    return Tile("trials", f"{ended}", note, "bad" if failed and failed == ended else "")
