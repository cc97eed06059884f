"""The recipe `distill`: knowledge distillation of the champion into a smaller trial's model.

Hinton et al., "Distilling the Knowledge in a Neural Network", 2015 (arXiv:1503.02531).
"""

from __future__ import annotations

from pathlib import Path

from conf.runtime.errors import BadInput
from conf.schema.champion import Compress
from conf.schema.study import TrialConfig
from tasks.champion.training import RunTrial, train_or_raise
from tasks.compress.recipe_training import recipe_spec
from tasks.packaging.tradeoff import check_shrinks
from tasks.prepare import Prepared
from tasks.study.reader import StudyRecord, TrialRecord
from tasks.train.spec import Result, TrialSpec


def select_student(record: StudyRecord, folder: Path, settings: Compress) -> TrialRecord:
    """The best complete trial that is small enough to be the student.

    Args:
        record: the study.
        folder: of the teacher's training.
        settings: `student` is the largest share of the teacher's parameters.

    Raises:
        BadInput: no trial is small enough.
    """
    most = settings.student * _parameters(folder)
    sizes = {
        trial.number: _parameters(trial.path)
        for trial in record.leaderboard()
        if trial.trial.status == "complete" and can_distill(trial.config)
    }
    fitting = [number for number, size in sizes.items() if 0 < size <= most]
    if not fitting:
        least = min(filter(None, sizes.values()), default=0)
        raise BadInput(
            f"the recipe distill needs a complete trial with at most {most:,.0f} parameters, and "
            f"the smallest of {record.study.name!r} has {least:,}; raise "
            "champion.compress.student, run trials of smaller models, or remove the recipe"
        )
    return record.trial(fitting[0])


def train_student(
    run: RunTrial, folder: Path, student: TrialRecord, prepared: Prepared, settings: Compress
) -> Path:
    """Train the student on the teacher's predictions; a complete training is reused.

    Args:
        run: runs one attempt of a training.
        folder: of the teacher's training.
        student: the trial whose configuration is trained.
        prepared: the data of both.
        settings: `temperature` softens the teacher's probabilities.

    Returns:
        The folder of the student's training.

    Raises:
        BadInput: the champion cannot be a teacher.
        DenseError: the training failed.
    """
    spec = distillation_spec(TrialSpec.read(folder), folder, student, prepared, settings)
    return train_or_raise(
        run,
        spec,
        folder / f"distilled-{spec.digest[:8]}-{settings.temperature:g}",
        problem=f"distilling the model in {folder} into trial {student.number} failed",
        remedy="or remove the recipe",
    )


def distillation_spec(
    teacher: TrialSpec, folder: Path, student: TrialRecord, prepared: Prepared, settings: Compress
) -> TrialSpec:
    """Spec of the student: the teacher's rows, the student's configuration and number of epochs.

    Raises:
        BadInput: the champion cannot be a teacher.
    """
    check_shrinks(teacher.config, prepared.card)
    if not can_distill(teacher.config):
        raise BadInput(
            "the recipe distill is for champions that are trained on rows, and this one, a head, "
            "is trained on features; remove it from champion.compress.recipes"
        )
    if prepared.card.second is not None:
        raise BadInput(
            "the recipe distill is for models with one target, and this one has two; remove it "
            "from champion.compress.recipes"
        )
    return recipe_spec(
        "distill",
        teacher,
        student.config,
        prepared,
        number=student.number,
        teacher=str(folder),
        temperature=settings.temperature,
    )


def _parameters(folder: Path) -> int:
    """Number of parameters of the model trained in a folder; 0 if unknown."""
    result = Result.read(folder)
    return 0 if result is None else result.params_total


def can_distill(config: TrialConfig) -> bool:
    """Whether a model can be a student or a teacher: a head is trained on features, not rows."""
    return "distill" in config.model.capabilities.recipes
