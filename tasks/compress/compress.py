"""Model compression: measure recipes on the validation split, register the chosen small model.

The recipes are measured on a model of the winning configuration that was not trained on the
validation split: the training on the re-test's first fresh seed, or without a re-test the winning
trial. The recipe with the best trade-off is applied to the champion, and the result is scored once
on the test split. The alias `small` moves to it; `champion` stays where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from conf.loading.digests import study_digest
from conf.loading.trial_values import values_of
from conf.runtime.atomic_write import write_atomically
from conf.runtime.errors import BadInput
from conf.schema.base import Recipe
from conf.schema.champion import Compress
from tasks.champion.retest import retest_folder
from tasks.champion.training import RunTrial
from tasks.compress.distill import select_student, train_student
from tasks.compress.narrow import narrow_config, train_narrow
from tasks.compress.prune import train_pruned
from tasks.packaging.model_card import model_card
from tasks.packaging.records import Candidate, Decision, FinalScore, Reason, RegisteredVersion
from tasks.packaging.tradeoff import PLAIN, TRADEOFF, Tradeoff, choose
from tasks.prepare.store.store import open_prepared
from tasks.registry import aliases
from tasks.registry.promote import no_champion
from tasks.registry.register import Registration, register_variant
from tasks.scoring.final_training import training_folder
from tasks.scoring.score_request import ScoreRequest
from tasks.scoring.test_score import score, score_batch
from tasks.study.reader import StudyRecord

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from tasks.prepare import Prepared

SMALL = "small"
"""The alias."""


@dataclass(frozen=True)
class CompressionResult:
    """The trade-off, and the small model if a recipe was chosen."""

    tradeoff: Tradeoff
    registered: RegisteredVersion | None
    """None if no recipe was chosen."""
    score: FinalScore | None
    """Of the small model on the test split."""


def compress(
    client: MlflowClient, record: StudyRecord, settings: Compress, run: RunTrial
) -> CompressionResult:
    """Measure the recipes, apply the chosen one to the champion, register it as `small`.

    A second call measures the trade-off again and returns the version of the first.

    Args:
        client: of the MLflow server.
        record: the study, read back from its journal.
        settings: the recipes, and the loss of the objective they may cost.
        run: runs one attempt of a training; only called for recipes that train.

    Raises:
        BadInput: there is no champion, it is of another study, or its data or training is gone.
        DenseError: a recipe could not be applied or measured.
    """
    version = aliases.aliased(client, record.study.registered_model)
    if version is None:
        raise BadInput(no_champion(client, record.study.registered_model))
    candidate = _candidate(record, version)
    prepared = open_prepared(record.home, candidate.data)
    final = training_folder(record.home, candidate.study, candidate.digest, candidate.seed)
    trial = record.home.trial(candidate.study, candidate.number, candidate.digest)
    if candidate.repeats > 1:  # a fresh seed: the winning trial itself was selected for luck
        trial = retest_folder(record, candidate.digest)
    if prepared is None or not final.is_dir():
        raise BadInput(
            f"the data or the training of version {version.version} is no longer in this home; "
            f"train it again with `dense replay {record.study.name}`"
        )
    bench = RecipeBench(record, candidate, prepared, settings, run)
    tradeoff = _measure(bench, trial, final)
    write_atomically(final / TRADEOFF, tradeoff.model_dump_json() + "\n")
    if tradeoff.chosen is None:
        return CompressionResult(tradeoff, None, None)
    recipe: Recipe = TypeAdapter(Recipe).validate_python(tradeoff.chosen)
    small, folder = bench.apply(recipe, final)
    result = score(
        small,
        prepared,
        final,
        threads=record.study.resources.threads,
        seconds=record.study.champion.seconds,
        recipe=recipe,
        weights=folder,
    )
    registered = _register(bench, client, version, small, final, tradeoff, result)
    return CompressionResult(tradeoff, registered, result)


@dataclass(frozen=True)
class RecipeBench:
    """The inputs of every recipe."""

    record: StudyRecord
    candidate: Candidate
    """The champion."""
    prepared: Prepared
    settings: Compress
    run: RunTrial

    def apply(self, recipe: Recipe | None, folder: Path) -> tuple[Candidate, Path]:
        """Apply the part of a recipe that trains to the model trained in a folder.

        Returns:
            The small candidate, with a digest of its own, and the folder of its weights. Recipes
            that only change the exported program return the given folder.
        """
        if recipe is None:
            return self.candidate, folder
        name, small = str(recipe), self.candidate
        if recipe == "prune":
            folder = train_pruned(self.run, folder, self.prepared, self.settings)
            name = folder.name
        elif recipe == "narrow":
            config = narrow_config(small.config, self.prepared, self.settings)
            folder = train_narrow(self.run, folder, self.prepared, self.settings)
            name, small = folder.name, small.model_copy(update={"config": config})
        elif recipe == "distill":
            student = select_student(self.record, folder, self.settings)
            folder = train_student(self.run, folder, student, self.prepared, self.settings)
            name = folder.name
            small = small.model_copy(update={"number": student.number, "config": student.config})
        digest = f"{self.candidate.digest}+{name}"
        return small.model_copy(update={"digest": digest}), folder


def _candidate(record: StudyRecord, version: ModelVersion) -> Candidate:
    """The champion as a candidate, read from the tags of its version."""
    tags = version.tags
    made = f"compressed with {tags['dense.recipe']}" if "dense.recipe" in tags else ""
    if made := "an ensemble" if "dense.members" in tags else made:
        raise BadInput(
            f"the champion, version {version.version} of {version.name!r}, is {made}, and "
            "recipes, distill included, are for a single uncompressed network; promote one with "
            f"`dense rollback {record.study.name}` or `dense promote {record.study.name} VERSION`"
        )
    number = int(tags.get("dense.trial", -1))
    mine = tags.get("dense.study") == record.study.name and tags.get("dense.home") == record.home.id
    if not mine or record.trial(number).trial.digest != tags["dense.digest"]:
        raise BadInput(
            f"version {version.version} of {version.name!r} is not a champion of the study "
            f"{record.study.name!r} in this home; name the study that it belongs to"
        )
    return Candidate(
        study=record.study.name,
        study_digest=study_digest(record.study),
        data=tags["dense.data"],
        number=number,
        digest=tags["dense.digest"],
        config=record.trial(number).config,
        value=float(tags["dense.validation"]),
        epochs=int(tags["dense.epochs"]),
        seed=int(tags["dense.seed"]),
        repeats=int(tags.get("dense.repeats", 1)),
    )


def _measure(bench: RecipeBench, trial: Path, final: Path) -> Tradeoff:
    """Measure every recipe, and the plain model, on the validation split.

    Args:
        bench: the inputs of the recipes.
        trial: folder of the training that the recipes are applied to.
        final: folder of the champion's final training, which receives the measured models.
    """
    study, candidate, prepared = bench.record.study, bench.candidate, bench.prepared
    recipes: Sequence[Recipe | None] = (None, *bench.settings.recipes)
    requests = {}
    for recipe in recipes:
        small, folder = bench.apply(recipe, trial)
        requests[recipe or PLAIN] = ScoreRequest(
            candidate=small,
            folder=folder,
            out=final / "tradeoff" / (recipe or "plain"),
            recipe=recipe,
            card=prepared.card_path,
            train=prepared.train,
            test=prepared.validation,  # the test split is read only for the chosen model
        )
    scores = score_batch(
        requests,
        log=final / "compress.log",
        threads=study.resources.threads,
        seconds=study.champion.seconds * len(requests),
    )
    return choose(
        {recipe: each.metrics[candidate.objective].value for recipe, each in scores.items()},
        {recipe: each.size_mb for recipe, each in scores.items()},
        {recipe: each.latency for recipe, each in scores.items()},
        candidate.objective,
        candidate.config.evaluate.direction,
        bench.settings,
    )


def _register(
    bench: RecipeBench,
    client: MlflowClient,
    champion: ModelVersion,
    small: Candidate,
    final: Path,
    tradeoff: Tradeoff,
    result: FinalScore,
) -> RegisteredVersion:
    """The run and version of the small model, existing or new; moves the alias `small` to it."""
    why, recipe = tradeoff.why, str(tradeoff.chosen)
    decision = Decision(verdict="keep", reasons=(Reason(rule="small", passed=True, why=why),))
    card = model_card(small, result, decision, bench.prepared.card, champion.name)
    registration = Registration(
        small,
        result,
        decision,
        final / f"small-{recipe}",
        champion.name,
        card=f"{card}\nCompressed with `{recipe}` from version {champion.version}.\n",
        params=values_of(bench.record.study, small.config),
        extra_tags={
            "dense.kind": "small",
            "dense.recipe": recipe,
            "dense.small_of": str(champion.version),
            "mlflow.note.content": why,
        },
    )
    return register_variant(
        client,
        bench.record.home,
        registration,
        alias=SMALL,
        tags={"dense.recipe": recipe},
        files=[final / TRADEOFF],
    )
