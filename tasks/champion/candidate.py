"""The candidate: the best trial of a study, by its objective or by its re-test."""

from __future__ import annotations

from conf.loading.digests import study_digest
from conf.runtime.errors import DenseError
from tasks.packaging.records import Candidate, Retest
from tasks.prepare import Prepared
from tasks.scoring.final_training import final_seed
from tasks.study.reader import StudyRecord, TrialRecord


def best_candidate(record: StudyRecord, prepared: Prepared) -> Candidate | None:
    """The first trial of the leaderboard; None if no trial has an objective."""
    best = record.best
    if best is None or best.trial.value is None:
        return None
    return _candidate(record, prepared, best, best.trial.value, best_epoch(best))


def retested_candidate(record: StudyRecord, prepared: Prepared, result: Retest) -> Candidate:
    """The winner of a re-test, to be trained for the median of its best epochs."""
    winner = result.winner
    epochs = sorted(winner.epochs)[len(winner.epochs) // 2]
    trial = record.trial(winner.number)
    candidate = _candidate(record, prepared, trial, winner.mean, epochs)
    return candidate.model_copy(update={"repeats": len(winner.values)})


def _candidate(
    record: StudyRecord, prepared: Prepared, trial: TrialRecord, value: float, epochs: int
) -> Candidate:
    return Candidate(
        study=record.study.name,
        study_digest=study_digest(record.study),
        data=prepared.key,
        number=trial.number,
        digest=trial.trial.digest,
        config=trial.config,
        value=value,
        epochs=epochs,
        seed=final_seed(record.study.seed, epochs),
    )


def best_epoch(trial: TrialRecord) -> int:
    """The epoch, counted from 1, at which a trial's objective was best; the first of ties.

    Raises:
        DenseError: the trial's folder has no learning curve of the objective.
    """
    evaluate = trial.study.evaluate
    name = f"val/{evaluate.objective}"
    sign = 1.0 if evaluate.direction == "minimize" else -1.0
    lines = [line for line in trial.curve if name in line.metrics]
    if not lines:
        raise DenseError(
            f"{trial.path} has no learning curve of {name}, so the number of epochs of the final "
            "training is unknown; remove the folder and run the study again to retrain the trial"
        )
    return min(lines, key=lambda line: (sign * line.metrics[name], line.epoch)).epoch
