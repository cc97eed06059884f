"""What a study has cost: training, waiting, searching, and what early stops spared."""

from __future__ import annotations

from collections import defaultdict

from tasks.report import format as words
from tasks.study.events import Asked
from tasks.study.policy import full_epochs, gpu_hours
from tasks.study.reader import StudyRecord


def cost(record: StudyRecord) -> list[tuple[str, str]]:
    """Names and amounts, for the page; nothing of a study that has trained nothing."""
    trials = [record.trial(number).trial for number in range(record.state.asked)]
    epochs = sum(trial.epoch for trial in trials)
    if not epochs:
        return []
    full = sum(full_epochs(record.study, trial) for trial in trials)
    spared = f" of {full:,}" if full > epochs else ""
    return [
        ("training", f"{words.duration(record.state.seconds)} in all trials{_lost(record)}"),
        ("epochs", f"{epochs:,}{spared}"),
        ("searching", _searching(record)),
        *_gpus(record),
    ]


def _lost(record: StudyRecord) -> str:
    """What of it went into trials that failed, by outcome."""
    seconds: dict[str, float] = defaultdict(float)
    for number in range(record.state.asked):
        trial = record.trial(number).trial
        seconds[trial.status] += trial.seconds
    failed = seconds["failed"]
    return f", {words.duration(failed)} of it in those that failed" if failed else ""


def _searching(record: StudyRecord) -> str:
    steps = [event.seconds for event in record.events if isinstance(event, Asked)]
    return (
        f"{words.duration(sum(steps))} in {words.count(len(steps), 'step')}, "
        f"the longest {words.duration(max(steps))}"
    )


def _gpus(record: StudyRecord) -> list[tuple[str, str]]:
    """GPU-hours and money, where the study counts them."""
    stop = record.study.stop
    if stop.cost_per_gpu_hour is None and stop.gpu_hours is None:
        return []
    hours = gpu_hours(record.state, record.study, record.events[-1].time)
    money = stop.cost_per_gpu_hour
    return [
        ("GPU-hours", f"{hours:.3g}"),
        *([("money", f"{hours * money:,.2f}")] if money is not None else []),
    ]
