"""One attempt at a trial: what it is told, and how its end is judged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from conf.loading.digests import derived_seed
from conf.loading.trial_values import apply_values
from conf.schema.study import Study, TrialConfig
from tasks.evaluate.evaluation import evaluate
from tasks.prepare import Prepared
from tasks.study.policy import Start
from tasks.study.trial import Trial
from tasks.train.engine.outcome import Outcome
from tasks.train.spec import TrialSpec


@dataclass(frozen=True)
class Job:
    """One attempt at a trial, on its way."""

    number: int
    label: str
    folder: Path
    spec: TrialSpec


@dataclass(frozen=True)
class AttemptEnd:
    """An attempt is over. `fault` is an error of the engine's, not of the trial."""

    number: int
    outcome: Outcome | None = None
    fault: BaseException | None = None


@dataclass(frozen=True)
class Over:
    """Nobody works on an attempt any more, whether its end was said or not."""

    number: int
    attempt: int


def measured(folder: Path, config: TrialConfig, outcome: Outcome) -> Outcome:
    """The outcome of a trial whose saved predictions are evaluated: it failed if they cannot be, or
    are worth something else than it said."""
    try:
        found = evaluate(folder, config)
    except Exception as error:  # whatever reading damaged predictions raises
        return failed(outcome, str(error) or type(error).__name__)
    value = found.metrics[found.objective].value
    if value == outcome.value:
        metrics = {name: interval.value for name, interval in found.metrics.items()}
        return replace(outcome, measures={**metrics, **outcome.measures})
    said = f"the trial measured {found.objective} {outcome.value!r}"
    return failed(outcome, f"{said}, its saved predictions give {value!r}")


def failed(outcome: Outcome, message: str) -> Outcome:
    """The outcome of a trial that seemed to end well."""
    return replace(outcome, outcome="failed", cause="error", message=message)


def job_of(study: Study, data: Prepared, trial: Trial, start: Start, folder: Path) -> Job:
    """The attempt that is to begin; its label says which it is of what."""
    again = f", attempt {start.attempt}" if start.attempt > 1 else ""
    label = f"{study.name} batch {trial.batch}, trial {start.number}{again}"
    return Job(start.number, label, folder, spec_of(study, data, trial, start))


def spec_of(study: Study, data: Prepared, trial: Trial, start: Start) -> TrialSpec:
    """What the process of an attempt is told; of the data, train and validation only."""
    resources = study.resources
    return TrialSpec(
        study=study.name,
        number=start.number,
        attempt=start.attempt,
        digest=trial.digest,
        config=apply_values(study.trial_config, trial.values),
        seed=derived_seed(study.seed, start.number),
        train=str(data.train),
        validation=str(data.validation),
        card=str(data.card_path),
        until=start.until,
        threads=resources.threads,
        workers=resources.workers,
        devices=resources.devices,
        strategy=resources.strategy,
        gpu_share=start.share,
        halvings=start.halvings,
        trial_seconds=max(resources.trial_seconds - trial.seconds, 0.01),
    )
