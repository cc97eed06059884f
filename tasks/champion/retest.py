"""Re-test: train the best few trials again on fresh seeds, so that luck does not decide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from conf.loading.digests import derived_seed
from conf.runtime.errors import DenseError
from tasks.champion.context import ChampionContext
from tasks.champion.training import train
from tasks.packaging.records import Reason, Retest, RetestEntry
from tasks.prepare import Prepared
from tasks.scoring.final_training import training_folder
from tasks.study.reader import StudyRecord
from tasks.train.engine.outcome import Outcome
from tasks.train.spec import Result, TrialSpec

MAX_THREADS = 64  # they only wait; the engine's slots bound what runs


def retest(context: ChampionContext, numbers: Sequence[int]) -> Retest | None:
    """Train some trials again on the same fresh seeds and compare them.

    Each training has its own folder, so an interrupted re-test continues where it stopped.

    Returns:
        None if the user stopped it.

    Raises:
        DenseError: no trial completed on every seed.
    """
    record = context.record
    settings = record.study.champion
    seeds = [_seed(record, n) for n in range(settings.repeats)]
    specs = {number: _specs(record, context.prepared, number, seeds) for number in numbers}
    jobs = [(spec, _folder(record, spec)) for number in numbers for spec in specs[number]]
    with ThreadPoolExecutor(max_workers=min(len(jobs), MAX_THREADS)) as threads:
        outcomes = list(threads.map(lambda job: train(context.run, *job), jobs))
    if any(outcome.outcome == "interrupted" for outcome in outcomes):
        return None
    entries = [_entry(record, number, specs[number]) for number in numbers]
    return compare(
        [entry for entry in entries if entry is not None],
        direction=record.study.evaluate.direction,
        alpha=settings.alpha,
        failed=_failures(jobs, outcomes),
    )


def retest_folder(record: StudyRecord, digest: str) -> Path:
    """Folder of a configuration's training on the first fresh seed, on the train split alone."""
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
    """Choose the smallest model that is not significantly worse than the best mean.

    Each entry is paired with the best one seed by seed (`p_value`). Of all entries with a p-value
    of at least `alpha` the one with the fewest parameters wins, then the better mean.

    Args:
        entries: their `values` are of the same seeds in the same order.
        direction: of the objective.
        alpha: significance level.
        failed: reasons of trials that did not complete on every seed.

    Raises:
        DenseError: there is no entry.
    """
    if not entries:
        raise DenseError(
            "no trial of the re-test completed on all of its seeds; look at the logs in the "
            "study's champion folders, or set champion.retest=1 to skip the re-test"
        )
    sign = 1.0 if direction == "minimize" else -1.0
    best = min(entries, key=lambda entry: (sign * entry.mean, entry.number))
    p_values = {entry.number: p_value(entry, best, sign) for entry in entries}
    tied = [entry for entry in entries if entry is best or p_values[entry.number] >= alpha]
    chosen = min(tied, key=lambda entry: (entry.parameters, sign * entry.mean, entry.number))
    others = [entry for entry in entries if entry is not chosen]
    reasons = [_reason(entry, best, chosen, p_values[entry.number], alpha) for entry in others]
    return Retest(entries=tuple(entries), chosen=chosen.number, reasons=(*reasons, *failed))


def p_value(entry: RetestEntry, best: RetestEntry, sign: float) -> float:
    """P-value of a one-sided paired t-test: is `best` better than `entry` on the same seeds?

    `sign` is 1 if the objective is minimized, else -1.
    """
    import numpy as np
    from scipy.stats import ttest_1samp

    ahead = sign * (np.array(entry.values) - np.array(best.values))
    if np.ptp(ahead) == 0:  # the test divides by the standard deviation
        return 0.0 if ahead[0] > 0 else 1.0
    return float(ttest_1samp(ahead, 0.0, alternative="greater").pvalue)


def _reason(
    entry: RetestEntry, best: RetestEntry, chosen: RetestEntry, p: float, alpha: float
) -> Reason:
    if p < alpha:
        why = (
            f"trial {entry.number} is worse than trial {best.number} on fresh seeds "
            f"({entry.mean:.4g} against {best.mean:.4g}, p = {p:.3f})"
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
    """A trial's spec as in the search, once per seed."""
    trial = record.trial(number)
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
    """A trial's results on all seeds; None if one of them failed."""
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
