"""A study as its files tell it, made in a moment: a journal, curves, predictions."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from conf.loading.digests import trial_digest
from conf.loading.load import load_study
from conf.loading.trial_values import apply_values, values_of
from conf.runtime.home import Home
from conf.schema.search import Choices
from conf.schema.study import Study
from tasks.evaluate.evaluation import evaluate
from tasks.evaluate.predictions import NumberPredictions, Predictions, write
from tasks.study import events
from tasks.study.identity import JOURNAL_FILE, STUDY_FILE, study_json
from tasks.study.journal import Journal
from tasks.study.reader import StudyRecord
from tasks.suggest.optimizer import Optimizer
from tasks.train.folder import MetricLine, TrialFolder, as_text

START = 1_790_000_000.0
CLASSES = 10
ROWS = 360

CARD: dict[str, Any] = {
    "key": "d073f98798d5e16b",
    "version": 1,
    "kind": "image",
    "task": "classification",
    "source": {"source": "builtin", "place": "scikit-learn, digits", "licence": "BSD-3-Clause"},
    "rows": {"read": 1797, "kept": 1790, "train": 1074, "validation": 358, "test": 358},
    "rules": [
        {"rule": "missing", "in": 1797, "out": 1797, "changed": 0, "examples": []},
        {"rule": "duplicates", "in": 1797, "out": 1790, "changed": 0, "examples": []},
    ],
    "missing": 0,
    "duplicates": 7,
    "leakage": {"exact": 0, "near": None},
    "classes": [str(number) for number in range(CLASSES)],
    "counts": {
        part: {str(number): rows + number % 3 for number in range(CLASSES)}
        for part, rows in (("train", 107), ("validation", 35), ("test", 35))
    },
    "shape": [8, 8, 1],
    "inputs": {"kind": "image", "height": 8, "width": 8, "channels": 1, "low": 0, "high": 16},
}


def made_study(
    home: Home,
    *,
    trials: int = 16,
    failed: tuple[int, ...] = (5, 11),
    ends: Callable[[int], dict[str, Any]] = lambda number: {},
    **changes: Any,
) -> StudyRecord:
    """A study of some trials in a home, read back; `changes` are fields of the study, `ends` gives
    what else the line of a trial's end holds."""
    study = load_study("digits", [f"search.trials={trials}"]).model_copy(update=changes)
    folder = home.study(study.name)
    folder.mkdir(parents=True)
    (folder / STUDY_FILE).write_text(study_json(study))
    journal, _, _ = Journal.open(folder / JOURNAL_FILE)
    random = np.random.default_rng(1)
    for number in range(trials):
        lines = _trial(home, study, number, random, failed=number in failed)
        lines[-1] = lines[-1].model_copy(update=ends(number))
        journal.append(*lines)
    journal.append(events.Stopped(reason="trials", time=START + 400))
    journal.close()
    return StudyRecord.read(home, study.name)


def made_regression(home: Home, trials: int = 12) -> StudyRecord:
    """A study of a numeric target over several model families, read back."""
    study = load_study("diabetes", [f"search.trials={trials}"])
    folder = home.study(study.name)
    folder.mkdir(parents=True)
    (folder / STUDY_FILE).write_text(study_json(study))
    journal, _, _ = Journal.open(folder / JOURNAL_FILE)
    random = np.random.default_rng(1)
    targets = random.gamma(4, 40, ROWS)
    space = study.model_dump(mode="json")["search"]["space"]
    for asked in Optimizer(space, strategy="random").ask(trials):
        values = values_of(study, study.trial_config) if asked.number == 0 else dict(asked.values)
        config = apply_values(study.trial_config, values)
        digest = trial_digest(config)
        path = TrialFolder(home.trial(study.name, asked.number, digest))
        path.path.mkdir(parents=True)
        predicted = targets + random.normal(0, 0.2 + 0.02 * asked.number, ROWS) * targets
        write(path.predictions, NumberPredictions(np.arange(ROWS), targets, predicted))
        value = evaluate(path.path, config).value
        number, begin = asked.number, START + asked.number * 20.0
        suggestion = events.Suggested(number=number, values=values, digest=digest, origin="random")
        journal.append(
            events.Asked(batch=number, first=number, suggestions=(suggestion,), time=begin),
            events.Attempt(number=number, attempt=1, until=1, time=begin + 1),
            events.Finished(
                number=number, attempt=1, outcome="complete", value=value, epochs=1,
                seconds=5 + random.random(), time=begin + 15,
            ),
        )  # fmt: skip
    journal.close()
    return StudyRecord.read(home, study.name)


def crowned(home: Home, record: StudyRecord) -> StudyRecord:
    """The study with a champion's steps in its journal, read again."""
    best = record.best
    assert best is not None and best.trial.value is not None
    test = {"accuracy": {"value": 0.9861, "low": 0.975, "high": 0.9972},
            "f1_macro": {"value": 0.9859, "low": 0.9741, "high": 0.9971}}  # fmt: skip
    facts = [
        ("decided", {"trial": best.number, "digest": best.trial.digest, "verdict": "crown",
                     "why": "no version of digits holds the alias yet"}),
        ("scored", {"seed": 1, "rows": 358, "test": test}),
        ("crowned", {"model": "digits", "version": "3", "run_id": "5f1c", "objective": "accuracy",
                     "digest": best.trial.digest, "validation": best.trial.value, "test": test}),
    ]  # fmt: skip
    journal, _, _ = Journal.open(home.study(record.study.name) / JOURNAL_FILE)
    for index, (step, given) in enumerate(facts):
        journal.append(events.Champion(step=step, facts=given, time=START + 410 + index))
    journal.close()
    return StudyRecord.read(home, record.study.name)


def _trial(
    home: Home, study: Study, number: int, random: np.random.Generator, *, failed: bool
) -> list[events.Event]:
    values = _values(study, number, random)
    config = apply_values(study.trial_config, values)
    digest = trial_digest(config)
    begin = START + number * 20.0
    origin = "start" if number == 0 else "random" if number < 5 else "bayes"
    asked = events.Suggested(number=number, values=values, digest=digest, origin=origin)
    lines: list[events.Event] = [
        events.Asked(batch=number, first=number, suggestions=(asked,), time=begin),
        events.Attempt(number=number, attempt=1, until=config.train.epochs, time=begin + 1),
    ]
    if failed:
        end = events.Finished(
            number=number, attempt=1, outcome="failed", cause="nan", seconds=1.5, epochs=1,
            message="the loss became nan in epoch 2", time=begin + 4,
        )  # fmt: skip
        return [*lines, end]
    value = _files(home, study, number, digest, values, random)
    end = events.Finished(
        number=number, attempt=1, outcome="complete", value=value, epochs=config.train.epochs,
        seconds=6 + 4 * random.random(), time=begin + 15,
    )  # fmt: skip
    return [*lines, end]


def _values(study: Study, number: int, random: np.random.Generator) -> dict[str, Any]:
    if number == 0:
        return values_of(study, study.trial_config)
    values: dict[str, Any] = {}
    for key, dimension in study.search.space.items():
        if isinstance(dimension, Choices):
            values[key] = dimension.choices[int(random.integers(len(dimension.choices)))]
        elif dimension.scale == "log":
            ends = math.log(dimension.low), math.log(dimension.high)
            values[key] = float(f"{math.exp(random.uniform(*ends)):.3g}")
        else:
            drawn = random.uniform(dimension.low, dimension.high)
            values[key] = round(drawn) if dimension.type == "int" else round(drawn, 3)
    return values


def _files(
    home: Home, study: Study, number: int, digest: str, values: dict[str, Any],
    random: np.random.Generator,
) -> float:  # fmt: skip
    """Write curve, predictions and evaluation; the trial's objective."""
    distance = abs(math.log10(values.get("train.lr", 1e-3)) + 2.3)
    error = 0.012 + 0.03 * distance**2 * (0.6 + random.random())
    folder = TrialFolder(home.trial(study.name, number, digest))
    folder.path.mkdir(parents=True)
    config = apply_values(study.trial_config, values)
    write(folder.predictions, _predictions(error, random))
    value = evaluate(folder.path, config).value
    epochs = config.train.epochs
    lines = [
        MetricLine(
            epoch=epoch, step=epoch * 17, time=START + epoch, seconds=0.5, attempt=1,
            metrics={
                "train/loss": 2.3 * math.exp(-0.5 * epoch) + 0.02,
                f"val/{study.evaluate.objective}": value - 0.6 * math.exp(-0.7 * epoch)
                * (epoch < epochs) + 0.004 * random.standard_normal() * (epoch < epochs),
            },
        )
        for epoch in range(1, epochs + 1)
    ]  # fmt: skip
    folder.metrics.write_text("".join(map(as_text, lines)))
    return value


def _predictions(error: float, random: np.random.Generator) -> Predictions:
    targets = np.arange(ROWS) % CLASSES
    wrong = np.random.default_rng(7).random(ROWS) < error  # nested: better trials err on fewer rows
    predictions = np.where(wrong, (targets + random.integers(1, CLASSES, ROWS)) % CLASSES, targets)
    probabilities = np.full((ROWS, CLASSES), 0.1 / (CLASSES - 1), dtype=np.float32)
    probabilities[np.arange(ROWS), predictions] = 0.9
    return Predictions(np.arange(ROWS), targets, predictions, probabilities)


def contact_sheet() -> bytes:
    """A small PNG of grey tiles."""
    import io

    from PIL import Image

    tiles = np.random.default_rng(0).integers(0, 255, (8, 20), dtype=np.uint8)
    image = Image.fromarray(np.kron(tiles, np.ones((24, 24), dtype=np.uint8)))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def made_home(path: Path) -> Home:
    """A home in a folder."""
    return Home.open(path)
