"""The best few trials again, on fresh seeds: a lucky run is not told from a good one otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from conf.loading.digests import derived_seed
from conf.runtime.errors import DenseError
from tasks.champion.training import RunTrial, train
from tasks.packaging.records import Reason, Retest, RetestEntry
from tasks.prepare import Prepared
from tasks.scoring.final_training import training_folder
from tasks.study.reader import StudyRecord, TrialRecord
from tasks.train.engine.outcome import Outcome
from tasks.train.spec import Result, TrialSpec

AT_ONCE = 64  # threads that wait; the engine's slots bound what runs


def retest(
    record: StudyRecord, prepared: Prepared, run: RunTrial, numbers: Sequence[int]
) -> Retest | None:
    """Train some trials again on fresh seeds, the same for all, and compare them.

    Each training has its own folder, so that an interrupted re-test goes on where it stood.

    Returns:
        None when the user stopped it.

    Raises:
        DenseError: no trial ended well on every seed.
    """
    settings = record.study.champion
    seeds = [_seed(record, n) for n in range(settings.repeats)]
    specs = {number: _specs(record, prepared, number, seeds) for number in numbers}
    jobs = [(spec, _folder(record, spec)) for number in numbers for spec in specs[number]]
    with ThreadPoolExecutor(max_workers=min(len(jobs), AT_ONCE)) as threads:
        outcomes = list(threads.map(lambda job: train(run, *job), jobs))
    if any(outcome.outcome == "interrupted" for outcome in outcomes):
        return None
    entries = [_entry(record, number, specs[number]) for number in numbers]
    return compare(
        [entry for entry in entries if entry is not None],
        direction=record.study.evaluate.direction,
        alpha=settings.alpha,
        failed=_failures(jobs, outcomes),
    )


def retested_folder(record: StudyRecord, digest: str) -> Path:
    """Where the first re-test of a configuration was trained, on the training part alone."""
    return training_folder(record.home, record.study.name, digest, _seed(record, 0))


def _seed(record: StudyRecord, n: int) -> int:
    return derived_seed(record.study.seed, "retest", n)


def compare(
    entries: Sequence[RetestEntry],
    *,
    direction: Literal["minimize", "maximize"],
    alpha: float,
    failed: Iterable[Reason] = (),
) -> Retest:
    """The best by the mean over the seeds, or the smallest model that is not worse.

    Each entry is paired with the best one seed by seed (one-sided t-test on the differences).

    Raises:
        DenseError: there is no entry.
    """
    if not entries:
        raise DenseError(
            "no trial of the re-test ended well on all of its seeds; look at the logs in the "
            "study's champion folders, or set champion.retest=1 to go without"
        )
    sign = 1.0 if direction == "minimize" else -1.0
    best = min(entries, key=lambda entry: (sign * entry.mean, entry.number))
    chances = {entry.number: chance_of_luck(entry, best, sign) for entry in entries}
    tied = [entry for entry in entries if entry is best or chances[entry.number] >= alpha]
    chosen = min(tied, key=lambda entry: (entry.parameters, sign * entry.mean, entry.number))
    others = [entry for entry in entries if entry is not chosen]
    reasons = [_against(entry, best, chosen, chances[entry.number], alpha) for entry in others]
    return Retest(entries=tuple(entries), chosen=chosen.number, reasons=(*reasons, *failed))


def chance_of_luck(entry: RetestEntry, best: RetestEntry, sign: float) -> float:
    """How likely seeds alone would put `best` so far ahead of `entry`, were they equally good."""
    import numpy as np
    from scipy.stats import ttest_1samp

    ahead = sign * (np.array(entry.values) - np.array(best.values))
    if np.ptp(ahead) == 0:  # the test divides by the spread
        return 0.0 if ahead[0] > 0 else 1.0
    return float(ttest_1samp(ahead, 0.0, alternative="greater").pvalue)


def _against(
    entry: RetestEntry, best: RetestEntry, chosen: RetestEntry, chance: float, alpha: float
) -> Reason:
    if chance < alpha:
        why = (
            f"trial {entry.number} is worse than trial {best.number} on fresh seeds "
            f"({entry.mean:.4g} against {best.mean:.4g}, p = {chance:.3f})"
        )
    else:
        why = (
            f"trial {entry.number} ({entry.mean:.4g}) ties with trial {chosen.number} "
            f"({chosen.mean:.4g}), which has {chosen.parameters:,} parameters against "
            f"{entry.parameters:,}"
        )
    return Reason(rule="retest", passed=False, why=why)


def _specs(
    record: StudyRecord, prepared: Prepared, number: int, seeds: Sequence[int]
) -> list[TrialSpec]:
    """A trial's training, as in the search, once a seed."""
    trial: TrialRecord = record.trial(number)
    resources = record.study.resources
    return [
        TrialSpec(
            study=record.study.name,
            number=number,
            digest=trial.trial.digest,
            config=trial.config,
            seed=seed,
            train=str(prepared.train),
            validation=str(prepared.validation),
            card=str(prepared.card_path),
            until=trial.config.train.epochs,
            threads=resources.threads,
            devices=resources.devices,
            strategy=resources.strategy,
            trial_seconds=resources.trial_seconds,
        )
        for seed in seeds
    ]


def _folder(record: StudyRecord, spec: TrialSpec) -> Path:
    return training_folder(record.home, record.study.name, spec.digest, spec.seed)


def _entry(record: StudyRecord, number: int, specs: Sequence[TrialSpec]) -> RetestEntry | None:
    """What a trial's re-tests came to; None when one of them failed."""
    results = [Result.read(_folder(record, spec)) for spec in specs]
    values, epochs, parameters = [], [], 0
    for result in results:
        if result is None or result.outcome != "complete":
            return None
        if result.value is None or result.best_epoch is None:
            return None
        values.append(result.value)
        epochs.append(result.best_epoch)
        parameters = result.params_total
    return RetestEntry(
        number=number, values=tuple(values), epochs=tuple(epochs), parameters=parameters
    )


def _failures(jobs: Sequence[tuple[TrialSpec, Path]], outcomes: Sequence[Outcome]) -> list[Reason]:
    return [
        Reason(
            rule="retest",
            passed=False,
            why=f"trial {spec.number} failed on a fresh seed ({outcome.cause}: {outcome.message})",
        )
        for (spec, _), outcome in zip(jobs, outcomes, strict=True)
        if outcome.outcome != "complete"
    ]
