"""False alarms of the drift monitor, and the severity from which it raises a true one.

python -m benchmarks.monitor --looks 200
python -m benchmarks.monitor --home FOLDER --only turned   # reuses the champion in FOLDER
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from conf.loading.digests import trial_digest
from conf.loading.load import load_study
from conf.runtime.home import Home
from conf.schema.champion import Monitor
from tasks.champion.training import train
from tasks.monitor.drift import Comparison, compare
from tasks.packaging import drift_reference
from tasks.packaging.benchmark import load
from tasks.packaging.drift_features import DriftPredictions, features_of
from tasks.packaging.raw_rows import RawRows, read_rows
from tasks.packaging.records import Candidate
from tasks.prepare import Prepared, prepare, test_path
from tasks.scoring.final_training import final_folder, final_seed, final_spec
from tasks.scoring.test_score import read_score, score
from tasks.train.engine.local import LocalEngine
from tasks.train.spec import TrialSpec

ROWS = 150
CLASSES = [str(digit) for digit in range(10)]
Change = Callable[[np.ndarray], np.ndarray]


def turned(degrees: float) -> Change:
    """Images rotated by so much."""
    return lambda x: ndimage.rotate(x, degrees, axes=(1, 2), reshape=False, order=1)


def blurred(sigma: float) -> Change:
    """Images blurred by a Gaussian of so many pixels."""
    return lambda x: ndimage.gaussian_filter(x, (0, sigma, sigma))


def severities() -> Iterator[tuple[str, Change]]:
    """What is done to the rows, from nothing to much."""
    yield "as they are", lambda x: x
    for degrees in (5, 10, 15, 25, 45):
        yield f"turned by {degrees} degrees", turned(degrees)
    for sigma in (0.3, 0.4, 0.5, 0.7):
        yield f"blurred, sigma {sigma}", blurred(sigma)


def champion(home: Home) -> tuple[Prepared, Path]:
    """A champion of `digits` with the study's own settings, and its folder."""
    study = load_study("digits")
    prepared, config = prepare(study, home), study.trial_config
    candidate = Candidate(
        study=study.name,
        study_digest="",
        data=prepared.key,
        number=0,
        digest=trial_digest(config),
        config=config,
        value=0.0,
        epochs=config.train.epochs,
        seed=final_seed(study.seed, config.train.epochs),
    )
    spec = TrialSpec(
        study=study.name,
        number=0,
        digest=candidate.digest,
        config=config,
        seed=1,
        train=str(prepared.train),
        validation=str(prepared.validation),
        card=str(prepared.card_path),
        until=config.train.epochs,
    )
    folder = final_folder(home, candidate)
    if read_score(folder) is None:
        with LocalEngine(home, slots=1) as engine:
            engine.run(spec, home.trial(study.name, 0, candidate.digest))
            train(engine.run, final_spec(candidate, prepared, study.resources), folder)
        score(candidate, prepared, folder, seconds=600)
    return prepared, folder


def looks(
    known: drift_reference.DriftReference,
    model: Any,
    rows: RawRows,
    card: Any,
    change: Change,
    count: int,
) -> list[Comparison]:
    """So many looks at so many of the rows, drawn anew each time."""
    values = np.clip(change(rows.values), 0, 16)
    answered = model.predict(values)
    said = answered.filter(regex="^p_").to_numpy(dtype=np.float32)
    answers = DriftPredictions(said.argmax(1), ("confidence",), said.max(1)[:, None])
    features, found = features_of(values, card.inputs), []
    for seed in range(count):
        some = np.random.default_rng(seed).permutation(len(values))[:ROWS]
        labels = None if answers.labels is None else answers.labels[some]
        part = DriftPredictions(labels, answers.names, answers.values[some])
        found.append(
            compare(known, features.some(some), part, Monitor(), classes=CLASSES, seed=seed)
        )
    right = (answered["label"].to_numpy() == rows.targets).mean()
    print(f"  accuracy {right:.3f}", end="", flush=True)
    return found


def redivided(all_rows: list[np.ndarray], card: Any, count: int) -> float:
    """Share of alarms by inputs alone where reference and new rows are drawn from the same rows."""
    features = features_of(np.concatenate(all_rows), card.inputs)
    alarms = 0
    for seed in range(count):
        order = np.random.default_rng(seed).permutation(len(features))
        known = drift_reference.DriftReference(features.some(order[ROWS:]), None)
        none = DriftPredictions(None, (), np.zeros((ROWS, 0), np.float32))
        found = compare(known, features.some(order[:ROWS]), none, Monitor(effect=0), seed=seed)
        alarms += any(test.raised for test in found.tests)
    return alarms / count


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--looks", type=int, default=200, help="where nothing is changed")
    parser.add_argument("--shifted", type=int, default=20, help="at each severity")
    parser.add_argument("--home", type=Path, help="where the champion is kept; else nowhere")
    parser.add_argument("--only", default="", help="severities that begin so; `inputs`: the last")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Home.open(given.home or Path(folder))
        prepared, final = champion(home)
        known, model = (
            drift_reference.read(final / drift_reference.REFERENCE),
            load(final / "model"),
        )
        card = prepared.card
        rows = read_rows(test_path(prepared), card.inputs)
        for number, (name, change) in enumerate(severities()):
            if not name.startswith(given.only):
                continue
            print(f"{name:<22}", end="", flush=True)
            count = given.shifted if number else given.looks
            found = looks(known, model, rows, card, change, count)
            raised = Counter(t.name for one in found for t in one.tests if t.raised)
            alarms = np.mean([any(t.raised for t in one.tests) for one in found])
            by = ", ".join(f"{test} {many / count:.2f}" for test, many in raised.items())
            print(f"  alarms {alarms:.3f} of {count}  {by}", flush=True)
        if not "inputs".startswith(given.only):
            return
        parts = [prepared.train, prepared.validation, test_path(prepared)]
        every = [read_rows(part, card.inputs).values for part in parts]
        share = redivided(every, card, given.looks)
        print(f"inputs alone, all rows divided anew, effect 0: alarms {share:.3f}")


if __name__ == "__main__":
    main()
