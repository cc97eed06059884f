"""Reproduce a trial or a champion from its record and compare the results bit by bit."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from conf.loading.digests import derived_seed
from conf.runtime.errors import BadInput, DenseError
from conf.runtime.provenance import environment
from tasks.champion.rebuild_record import FinalModel, final_models
from tasks.evaluate.evaluation import PREDICTIONS
from tasks.evaluate.predictions import AnyPredictions, read
from tasks.prepare import Prepared
from tasks.study.champion_state import CurrentChampion
from tasks.study.reader import StudyRecord
from tasks.track import sessions
from tasks.train.engine.outcome import Outcome
from tasks.train.folder import MetricLine, TrialFolder
from tasks.train.spec import Result, TrialSpec

Run = Callable[[TrialSpec, Path], Outcome]
WEIGHTS = "checkpoints/weights.safetensors"


@dataclass(frozen=True)
class Original:
    """A training as the record has it."""

    words: str
    """`trial 3 of digits`, `the champion of digits (trial 3)`."""
    spec: TrialSpec
    """What it was told, with the places where its data lies now."""
    folder: TrialFolder
    lines: tuple[MetricLine, ...]
    result: Result
    session: sessions.SessionRecord | None
    """Who trained it; None where that was not written."""


@dataclass(frozen=True)
class Difference:
    """A value that came out differently."""

    epoch: int
    metric: str
    was: float | None
    now: float | None


@dataclass(frozen=True)
class Replayed:
    """What a training came to, the second time."""

    original: Original
    outcome: Outcome
    values: int
    """Values of metrics that were compared, over all epochs."""
    differing: tuple[Difference, ...]
    weights: bool | None
    """Whether what was learnt is the same to the last bit; None where it was not kept."""
    predictions: bool | None
    """Whether every prediction is the same; None where there were none, or they are gone."""
    environment: tuple[tuple[str, str, str], ...]
    """Name, then and now, of what differs in the environment."""

    @property
    def equal(self) -> bool:
        """Whether something was compared, and nothing came out differently."""
        same = self.outcome.outcome == self.original.result.outcome
        kept = (self.weights, self.predictions)
        return same and not self.differing and False not in kept and bool(self.values or any(kept))

    @property
    def largest(self) -> float:
        """The largest difference of a metric; infinite where one side has no value."""
        gaps = [
            np.inf if each.was is None or each.now is None else abs(each.was - each.now)
            for each in self.differing
        ]
        return float(max(gaps, default=0.0))


def trial_original(record: StudyRecord, prepared: Prepared, number: int) -> Original:
    """A trial of the search.

    Raises:
        BadInput: it did not come to an end, or its folder is gone.
    """
    found = record.trial(number)
    words = f"trial {number} of {record.study.name}"
    if found.trial.status not in ("complete", "stopped", "paused"):
        raise BadInput(f"{words} has no result to compare with: it is {found.trial.status}")
    spec, result = _kept(found.path, words)
    changes = {
        "config": found.config,
        "seed": derived_seed(record.study.seed, number),
        "validation": str(prepared.validation),
    }
    return _original(record, prepared, words, spec.model_copy(update=changes), result, found.path)


def champion_original(
    record: StudyRecord, prepared: Prepared, digest: str | None = None
) -> Original:
    """The final training of a study's champion, or of the configuration that once was it.

    Raises:
        BadInput: there is no champion, it is of an earlier study, or its folder is gone.
    """
    final = champion_final(record, digest)
    words = f"the champion of {record.study.name} (trial {final.number})"
    spec, result = _kept(final.folder, words)
    changes = {"also": (str(prepared.validation),), "seed": final.seed}
    return _original(record, prepared, words, spec.model_copy(update=changes), result, final.folder)


def champion_final(record: StudyRecord, digest: str | None = None) -> FinalModel:
    """The final training that the journal names as the champion's, or one by its configuration.

    Raises:
        BadInput: there is no champion, or it is of an earlier study.
    """
    name, winner = record.study.name, CurrentChampion.of(record)
    if winner is None:
        raise BadInput(f"the study {name!r} has no champion; `dense run` it to its end first")
    wanted = digest or winner.digest
    same = [f for f in final_models(record) if record.trial(f.number).trial.digest == wanted]
    if not same:
        raise BadInput(
            f"the champion of {name!r} (version {winner.version} of {winner.model}) comes from an "
            "earlier study; name that one"
        )
    return same[-1]


def replay(original: Original, run: Run, scratch: Path) -> Replayed:
    """Train it again in an empty folder and compare.

    Raises:
        DenseError: the user stopped it.
    """
    outcome = run(original.spec, scratch)
    if outcome.outcome == "interrupted":
        raise DenseError("stopped before the end; nothing was compared")
    now = TrialFolder(scratch)
    lines = now.read_metrics()
    differing = tuple(differences(original.lines, lines))
    return Replayed(
        original=original,
        outcome=outcome,
        values=sum(len(line.metrics) for line in original.lines),
        differing=differing,
        weights=_same_weights(original, now),
        predictions=same_predictions(original.folder.path, scratch),
        environment=tuple(changed(original)),
    )


def differences(was: Sequence[MetricLine], now: Sequence[MetricLine]) -> Iterator[Difference]:
    """Values that are not the same bits, by epoch; also those that only one side has."""
    before = {line.epoch: line.metrics for line in was}
    after = {line.epoch: line.metrics for line in now}
    for epoch in sorted({*before, *after}):
        first, second = before.get(epoch, {}), after.get(epoch, {})
        for name in dict.fromkeys([*first, *second]):
            pair = first.get(name), second.get(name)
            if None in pair or _bits(pair[0]) != _bits(pair[1]):
                yield Difference(epoch, name, *pair)


def changed(original: Original) -> Iterator[tuple[str, str, str]]:
    """What of commit, versions and machine is not what it was, as far as that was written."""
    session = original.session
    if session is None:
        return
    facts: Mapping[str, str] = session.environment
    if session.commit:
        facts = {"commit": session.commit, **facts}
    now = {"commit": sessions.commit() or "unknown", **environment()}
    for name, was in facts.items():
        if now.get(name, "absent") != was:
            yield name, was, now.get(name, "absent")


def _kept(folder: Path, words: str) -> tuple[TrialSpec, Result]:
    result = Result.read(folder)
    if result is None:
        raise BadInput(f"{words} cannot be compared: {folder / 'result.json'} is gone")
    return TrialSpec.read(folder), result


def _original(
    record: StudyRecord,
    prepared: Prepared,
    words: str,
    spec: TrialSpec,
    result: Result,
    folder: Path,
) -> Original:
    place = TrialFolder(folder)
    lines = tuple(place.read_metrics())
    if not lines:
        raise BadInput(f"{words} cannot be compared: {place.metrics} is gone")
    again = {
        "attempt": 1,
        "train": str(prepared.train),
        "card": str(prepared.card_path),
        "until": result.until,
        "trial_seconds": 10 * record.study.resources.trial_seconds,
    }
    session = sessions.of(sessions.read(record.folder), lines[-1].time)
    return Original(words, spec.model_copy(update=again), place, lines, result, session)


def _same_weights(original: Original, now: TrialFolder) -> bool | None:
    was = original.folder
    if was.estimator.exists():
        from models.estimators.skops_io import same_estimators

        return now.estimator.exists() and same_estimators(was.estimator, now.estimator)
    if WEIGHTS not in original.result.files:
        return None
    result = Result.read(now.path)
    return result is not None and result.files.get(WEIGHTS) == original.result.files[WEIGHTS]


def same_predictions(was: Path, now: Path) -> bool | None:
    """Whether two folders hold the same predictions to the bit; None where the first has none."""
    try:
        first = _columns(read(was / PREDICTIONS))
    except DenseError:
        return None
    try:
        second = _columns(read(now / PREDICTIONS))
    except DenseError:
        return False
    return first.keys() == second.keys() and all(
        np.array_equal(np.asarray(first[name]), np.asarray(second[name])) for name in first
    )


def _columns(predictions: AnyPredictions) -> dict[str, Any]:
    """All that was predictions, by name, a second answer's after the first's."""
    first = {name: value for name, value in vars(predictions).items() if name != "auxiliary"}
    if predictions.auxiliary is None:
        return first
    return first | {
        f"auxiliary/{name}": each
        for name, each in _columns(predictions.auxiliary.predictions).items()
    }


def _bits(value: float | None) -> bytes:
    return struct.pack("<d", value)
