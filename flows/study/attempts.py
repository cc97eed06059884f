"""One attempt at a trial: its specification, and the evaluation of its outcome."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from conf.loading.digests import derived_seed, trial_digest
from conf.loading.trial_values import apply_values
from conf.schema.study import Study, TrialConfig
from tasks.evaluate.evaluation import evaluate
from tasks.prepare import Prepared
from tasks.study.policy import Start
from tasks.study.trial import Trial
from tasks.train.engine.outcome import Outcome
from tasks.train.spec import TrialSpec


@dataclass(frozen=True)
class TrainingJob:
    """An attempt that is to be trained."""

    label: str
    """Its name on Prefect's pages."""
    folder: Path
    spec: TrialSpec


@dataclass(frozen=True)
class AttemptMessage:
    """What the tasks of an attempt send to the driver.

    One with an outcome or an error comes as soon as it is known. One with neither follows when
    Prefect's tasks are done, so that an attempt whose tasks died in silence is not waited for.
    """

    number: int
    attempt: int
    outcome: Outcome | None = None
    error: BaseException | None = None
    """Raised by the engine, not by the trial."""


def evaluated(folder: Path, config: TrialConfig, outcome: Outcome) -> Outcome:
    """Evaluate the saved predictions of an attempt and add its metrics to the outcome.

    Returns:
        The outcome with its metrics, or a failed one where the predictions cannot be read or give
        another objective than the trial reported.
    """
    try:
        evaluation = evaluate(folder, config)
    except Exception as error:  # whatever reading damaged predictions raises
        return failed(outcome, str(error) or type(error).__name__)
    value = evaluation.metrics[evaluation.objective].value
    if value == outcome.value:
        metrics = {name: interval.value for name, interval in evaluation.metrics.items()}
        return replace(outcome, measures={**metrics, **outcome.measures})
    reported = f"the trial measured {evaluation.objective} {outcome.value!r}"
    return failed(outcome, f"{reported}, its saved predictions give {value!r}")


def failed(outcome: Outcome, message: str) -> Outcome:
    """The outcome of a trial that reported success and cannot be trusted."""
    return replace(outcome, outcome="failed", cause="error", message=message)


def training_job(
    study: Study, data: Prepared, trial: Trial, start: Start, folder: Path
) -> TrainingJob:
    """The job of an attempt that is about to start."""
    again = f", attempt {start.attempt}" if start.attempt > 1 else ""
    label = f"{study.name} batch {trial.batch}, trial {start.number}{again}"
    return TrainingJob(label, folder, spec_of(study, data, trial, start))


def spec_of(study: Study, data: Prepared, trial: Trial, start: Start) -> TrialSpec:
    """The `spec.json` of an attempt; it names the train and validation data, never the test data.

    The time limit is that of the trial less the seconds of its earlier attempts.
    """
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


def short_spec(study: Study, prepared: Prepared, steps: int) -> TrialSpec:
    """The `spec.json` of a trial 0 that lasts `steps` optimiser steps."""
    short = {"epochs": 1, "steps_per_epoch": steps, "patience": None}
    train = study.train.model_copy(update=short)
    config = study.trial_config.model_copy(update={"train": train})
    return TrialSpec(
        study=study.name,
        number=0,
        digest=trial_digest(config),
        config=config,
        seed=derived_seed(study.seed, 0),
        train=str(prepared.train),
        validation=str(prepared.validation),
        card=str(prepared.card_path),
        until=1,
        threads=study.resources.threads,
        devices=study.resources.devices,
        strategy=study.resources.strategy,
        trial_seconds=study.resources.trial_seconds,
    )
