"""A study on disk, made line by line: what a driver and its trials would have left behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from conf.loading.digests import derived_seed, trial_digest
from conf.loading.trial_values import apply_values
from conf.runtime.home import Home
from conf.schema.search import Scalar
from conf.schema.study import Study
from tasks.evaluate.evaluation import evaluate
from tasks.evaluate.predictions import Predictions, write
from tasks.study.events import Asked, Attempt, Event, Finished, Interrupted, Reported, Suggested
from tasks.study.lock import Holder
from tasks.study.state import State
from tasks.study.trial import Trial
from tasks.study.writer import OpenStudy
from tasks.train.folder import MetricLine, TrialFolder, append_line
from tasks.train.spec import Result, TrialSpec

START = 1_700_000_000.0
KEY = "d" * 64


def a_study(**changes: object) -> Study:
    space = {
        "train.lr": {"low": 1e-4, "high": 1e-1, "scale": "log"},
        "model.width": {"choices": [8, 16, 32]},
    }
    return Study.model_validate(
        {
            "name": "letters",
            "seed": 3,
            "search": {"space": space},
            "train": {"epochs": 4},
            **changes,
        }
    )


@dataclass
class Written:
    """A study that is open for writing; every step takes a second."""

    home: Home
    study: Study = field(default_factory=a_study)
    now: float = START
    opened: OpenStudy = field(init=False)

    def __post_init__(self) -> None:
        holder = Holder(pid=1, host="here", start=self.now)
        self.opened = OpenStudy.open(self.home, self.study, holder, self.now)

    def tick(self) -> float:
        self.now += 1.0
        return self.now

    @property
    def state(self) -> State:
        return self.opened.state

    def append(self, event: Event) -> Event:
        self.opened.append(event)
        return event

    def trial(self, number: int) -> Trial:
        return self.state.trials[number]

    def folder(self, number: int) -> TrialFolder:
        digest = self.trial(number).digest
        return TrialFolder(self.home.trial(self.study.name, number, digest))

    def ask(self, *widths: int) -> Event:
        first, suggestions = self.state.asked, []
        for index, width in enumerate(widths):
            values: dict[str, Scalar] = {"train.lr": 0.001, "model.width": width}
            config = apply_values(self.study.trial_config, values)
            suggestions.append(
                Suggested(
                    number=first + index, values=values, digest=trial_digest(config), origin="sobol"
                )
            )
        asked = Asked(
            batch=self.state.batches, first=first, suggestions=tuple(suggestions), time=self.tick()
        )
        return self.append(asked)

    def attempt(self, number: int, until: int = 4) -> Event:
        trial = self.trial(number)
        event = self.append(
            Attempt(
                number=number,
                attempt=trial.attempt + 1,
                until=until,
                epoch=trial.epoch,
                time=self.tick(),
            )
        )
        config = apply_values(self.study.trial_config, trial.values)
        TrialSpec(
            study=self.study.name,
            number=number,
            attempt=trial.attempt + 1,
            digest=trial.digest,
            config=config,
            seed=derived_seed(self.study.seed, number),
            train="train",
            validation="validation",
            card="card.json",
            until=until,
        ).write(self.folder(number).path)
        return event

    def epochs(self, number: int, *accuracies: float) -> None:
        """Finish epochs."""
        done = len(self.folder(number).read_metrics())
        for index, accuracy in enumerate(accuracies, start=done + 1):
            metrics = {
                "train/loss": 1.0 / index,
                "val/accuracy": accuracy,
                "val/f1_macro": accuracy,
            }
            line = MetricLine(
                epoch=index,
                step=index * 10,
                time=self.tick(),
                seconds=0.5,
                attempt=self.trial(number).attempt,
                metrics=metrics,
            )
            append_line(self.folder(number), line)

    def best(self, number: int) -> float:
        return max(line.metrics["val/accuracy"] for line in self.folder(number).read_metrics())

    def report(self, number: int, rung: int) -> Event:
        return self.append(
            Reported(number=number, rung=rung, value=self.best(number), time=self.tick())
        )

    def finish(self, number: int, outcome: str = "complete", cause: str | None = None) -> Event:
        """End the attempt, with result, predictions and evaluation where there is a value."""
        trial, folder = self.trial(number), self.folder(number)
        epochs = len(folder.read_metrics())
        value = self.best(number) if outcome != "failed" else None
        if value is not None:
            predict(folder.path, value)
            evaluate(folder.path, self.study.trial_config)
        Result(
            outcome=outcome,
            cause=cause,
            attempt=trial.attempt,
            until=trial.until or 1,
            epochs=epochs,
            value=value,
            seconds=2.0,
            params_total=1_000,
            params_trainable=900,
        ).write(folder.path)
        return self.append(
            Finished(
                number=number,
                attempt=trial.attempt,
                outcome=outcome,
                cause=cause,
                value=value,
                seconds=2.0,
                epochs=epochs,
                message="it went wrong" if cause else "",
                time=self.tick(),
            )
        )

    def interrupt(self, number: int) -> Event:
        epochs = len(self.folder(number).read_metrics())
        attempt = self.trial(number).attempt
        return self.append(
            Interrupted(
                number=number,
                attempt=attempt,
                by="user",
                epochs=epochs,
                seconds=1.0,
                time=self.tick(),
            )
        )


def predict(folder: Path, accuracy: float, rows: int = 20) -> None:
    """Predictions of two classes of which this share is right."""
    targets = np.arange(rows) % 2
    wrong = np.arange(rows) >= round(rows * accuracy)
    predictions = np.where(wrong, 1 - targets, targets)
    probabilities = np.where(np.eye(2)[predictions] > 0, 0.9, 0.1).astype(np.float32)
    write(
        folder / "predictions.parquet",
        Predictions(np.arange(rows), targets, predictions, probabilities),
    )
