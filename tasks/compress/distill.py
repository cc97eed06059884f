"""The recipe `distill`: a smaller trial's settings, trained on what the champion says of rows."""

from __future__ import annotations

from pathlib import Path

from conf.runtime.errors import BadInput
from conf.schema.champion import Compress
from conf.schema.study import TrialConfig
from tasks.champion.training import RunTrial, trained
from tasks.compress.anew import anew
from tasks.packaging.tradeoff import check_shrinks
from tasks.prepare import Prepared
from tasks.study.reader import StudyRecord, TrialRecord
from tasks.train.spec import Result, TrialSpec


def student_of(record: StudyRecord, folder: Path, settings: Compress) -> TrialRecord:
    """The best complete trial of those that are small enough to be taught.

    Args:
        record: the study.
        folder: of the teacher's training.
        settings: the student's parameters as a share of the teacher's.

    Raises:
        BadInput: no trial is small enough.
    """
    most = settings.student * _parameters(folder)
    sizes = {
        trial.number: _parameters(trial.path)
        for trial in record.leaderboard()
        if trial.trial.status == "complete" and learns(trial.config)
    }
    fitting = [number for number, size in sizes.items() if 0 < size <= most]
    if not fitting:
        least = min(filter(None, sizes.values()), default=0)
        raise BadInput(
            f"the recipe distill needs a complete trial with at most {most:,.0f} parameters, and "
            f"the smallest of {record.study.name!r} has {least:,}; raise "
            "champion.compress.student, run trials of smaller models, or leave the recipe out"
        )
    return record.trial(fitting[0])


def distilled(
    run: RunTrial, folder: Path, student: TrialRecord, prepared: Prepared, settings: Compress
) -> Path:
    """The folder of the student's training; found if it is there.

    Args:
        run: the trial engine's `run`.
        folder: of the training whose model teaches.
        student: the trial whose settings learn.
        prepared: their data.
        settings: the temperature.

    Raises:
        BadInput: the champion is no network that can teach.
        DenseError: the training did not come to its end.
    """
    spec = lesson(TrialSpec.read(folder), folder, student, prepared, settings)
    return trained(
        run,
        spec,
        folder / f"distilled-{spec.digest[:8]}-{settings.temperature:g}",
        trouble=f"trial {student.number} could not be taught by the model in {folder}",
        remedy="or leave the recipe out",
    )


def lesson(
    teacher: TrialSpec, folder: Path, student: TrialRecord, prepared: Prepared, settings: Compress
) -> TrialSpec:
    """What the engine is told: the teacher's rows, the student's settings and all of its epochs."""
    check_shrinks(teacher.config, prepared.card)
    if not learns(teacher.config):
        raise BadInput(
            "the recipe distill is for champions that see the rows themselves, and this one, a "
            "head, sees features; leave it out of champion.compress.recipes"
        )
    if "second" in prepared.card:
        raise BadInput(
            "the recipe distill is for models with one answer, and this one has two; leave it out "
            "of champion.compress.recipes"
        )
    return anew(
        "distill",
        teacher,
        student.config,
        prepared,
        number=student.number,
        teacher=str(folder),
        temperature=settings.temperature,
    )


def _parameters(folder: Path) -> int:
    """Of the model that was trained there; 0 where that is not known."""
    result = Result.read(folder)
    return 0 if result is None else result.params_total


def learns(config: TrialConfig) -> bool:
    """Whether it can be taught: a head alone does not see the rows."""
    return "distill" in config.model.capabilities.recipes
