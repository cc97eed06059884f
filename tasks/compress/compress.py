"""A champion made small: recipes measured on the validation part, the chosen one registered.

The recipes are tried on a model of the winning configuration that has not learnt from the
validation part: the one of the re-test's first fresh seed, or without a re-test the winning trial's
own. The one that the rule chooses is applied to the champion, and the result is scored once on the
test part. The alias `small` moves to it; `champion` stays where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from conf.loading.digests import study_digest
from conf.loading.trial_values import values_of
from conf.runtime import child_process
from conf.runtime.errors import BadInput
from conf.runtime.home import Home, write_atomically
from conf.schema.champion import Compress, Recipe
from tasks.champion.retest import retested_folder
from tasks.champion.training import RunTrial
from tasks.compress.distill import distilled, student_of
from tasks.compress.narrow import narrowed, thin
from tasks.compress.prune import pruned
from tasks.packaging.model_card import model_card
from tasks.packaging.records import Candidate, Decision, FinalScore, Reason, RegisteredVersion
from tasks.packaging.tradeoff import PLAIN, TRADEOFF, Tradeoff, choose
from tasks.prepare.store.store import open_prepared
from tasks.registry import aliases
from tasks.registry.promote import no_champion
from tasks.registry.register import Registration, record_version
from tasks.scoring.final_training import training_folder
from tasks.scoring.test_score import score
from tasks.study.reader import StudyRecord

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from tasks.prepare import Prepared

SMALL = "small"
"""The alias."""


@dataclass(frozen=True)
class CompressionResult:
    """What came of it."""

    tradeoff: Tradeoff
    registered: RegisteredVersion | None
    """None where no recipe was chosen."""
    score: FinalScore | None
    """Of the small model on the test part."""


def compress(
    client: MlflowClient, record: StudyRecord, settings: Compress, run: RunTrial
) -> CompressionResult:
    """Measure the recipes, apply the chosen one to the champion, register it as `small`.

    Called again it measures the trade-off anew and finds the version that is there.

    Args:
        client: of tracking store and registry.
        record: the study, read back.
        settings: the recipes, and what they may cost.
        run: the trial engine's `run`; only called for recipes that train.

    Raises:
        BadInput: there is no champion, it is not this study's, or what it was made from is gone.
        DenseError: a recipe could not be applied or measured.
    """
    version = aliases.aliased(client, record.study.registered_model)
    if version is None:
        raise BadInput(no_champion(client, record.study.registered_model))
    candidate = _candidate(record, version)
    prepared = open_prepared(record.home, candidate.data)
    final = training_folder(record.home, candidate.study, candidate.digest, candidate.seed)
    trial = record.home.trial(candidate.study, candidate.number, candidate.digest)
    if candidate.repeats > 1:  # no luck in the weights that the recipes are measured on
        trial = retested_folder(record, candidate.digest)
    if prepared is None or not final.is_dir():
        raise BadInput(
            f"the data or the training of version {version.version} is no longer in this home; "
            f"`dense replay {record.study.name}` trains it again"
        )
    bench = RecipeBench(record, candidate, prepared, settings, run)
    found = _measured(bench, trial, final)
    write_atomically(final / TRADEOFF, found.model_dump_json() + "\n")
    if found.chosen is None:
        return CompressionResult(found, None, None)
    recipe: Recipe = TypeAdapter(Recipe).validate_python(found.chosen)
    small, folder = bench.applied(recipe, final)
    taken = score(
        small,
        prepared,
        final,
        threads=record.study.resources.threads,
        seconds=record.study.champion.seconds,
        recipe=recipe,
        trained=folder,
    )
    done = _register(client, record, version, small, prepared, final, found, taken)
    return CompressionResult(found, done, taken)


@dataclass(frozen=True)
class RecipeBench:
    """What every recipe is applied with."""

    record: StudyRecord
    candidate: Candidate
    """The champion."""
    prepared: Prepared
    settings: Compress
    run: RunTrial

    def applied(self, recipe: Recipe | None, folder: Path) -> tuple[Candidate, Path]:
        """What a recipe makes of the model trained in a folder, before it is packed, and where that
        was trained.

        Its digest is its own: nobody takes it for the champion that it was made from.
        """
        if recipe is None:
            return self.candidate, folder
        name, settings = str(recipe), self.candidate
        if recipe == "prune":
            folder = pruned(self.run, folder, self.prepared, self.settings)
            name = folder.name
        elif recipe == "narrow":
            config = thin(settings.config, self.prepared, self.settings)
            folder = narrowed(self.run, folder, self.prepared, self.settings)
            name, settings = folder.name, settings.model_copy(update={"config": config})
        elif recipe == "distill":
            student = student_of(self.record, folder, self.settings)
            folder = distilled(self.run, folder, student, self.prepared, self.settings)
            name = folder.name
            settings = settings.model_copy(
                update={"number": student.number, "config": student.config}
            )
        digest = f"{self.candidate.digest}+{name}"
        return settings.model_copy(update={"digest": digest}), folder


def _candidate(record: StudyRecord, version: ModelVersion) -> Candidate:
    """What the version was made from, by its tags."""
    tags = version.tags
    made = f"made small by {tags['dense.recipe']}" if "dense.recipe" in tags else ""
    if made := "an ensemble" if "dense.members" in tags else made:
        raise BadInput(
            f"the champion, version {version.version} of {version.name!r}, is {made}, and recipes, "
            "distill too, are for one network as it was trained; make one champion by `dense "
            f"rollback {record.study.name}` or `dense promote {record.study.name} VERSION`"
        )
    number = int(tags.get("dense.trial", -1))
    mine = tags.get("dense.study") == record.study.name and tags.get("dense.home") == record.home.id
    if not mine or record.trial(number).trial.digest != tags["dense.digest"]:
        raise BadInput(
            f"version {version.version} of {version.name!r} is not a champion of the study "
            f"{record.study.name!r} in this home; give the study that it is of"
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


def _measured(bench: RecipeBench, trial: Path, final: Path) -> Tradeoff:
    """Every recipe and none, on the validation part and the model trained in `trial`."""
    study, candidate, prepared = bench.record.study, bench.candidate, bench.prepared
    tried: Sequence[Recipe | None] = (None, *bench.settings.recipes)
    requests = {}
    for recipe in tried:
        small, folder = bench.applied(recipe, trial)
        requests[recipe or PLAIN] = {
            "candidate": small.model_dump(mode="json"),
            "folder": str(folder),
            "out": str(final / "tradeoff" / (recipe or "plain")),
            "recipe": recipe,
            "card": str(prepared.card_path),
            "train": str(prepared.train),
            "test": str(prepared.validation),  # what is measured on; the test part is not told
        }
    replies = child_process.call(
        "tasks.compress.work",
        {"all": requests},
        log=final / "compress.log",
        threads=study.resources.threads,
        seconds=study.champion.seconds * len(requests),
    )
    scores = {recipe: FinalScore.model_validate(reply) for recipe, reply in replies.items()}
    return choose(
        {recipe: each.metrics[candidate.objective].value for recipe, each in scores.items()},
        {recipe: each.size_mb for recipe, each in scores.items()},
        {recipe: each.latency for recipe, each in scores.items()},
        candidate.objective,
        candidate.config.evaluate.direction,
        bench.settings,
    )


def _register(
    client: MlflowClient,
    record: StudyRecord,
    champion: ModelVersion,
    small: Candidate,
    prepared: Prepared,
    final: Path,
    found: Tradeoff,
    taken: FinalScore,
) -> RegisteredVersion:
    """The small model's run and version, found or made, and the alias `small`."""
    decision = Decision(verdict="keep", reasons=(Reason(rule="small", passed=True, why=found.why),))
    card = model_card(small, taken, decision, prepared.card, champion.name)
    given = Registration(
        small,
        taken,
        decision,
        final / f"small-{found.chosen}",
        champion.name,
        card=f"{card}\nMade small by `{found.chosen}` from version {champion.version}.\n",
        params=values_of(record.study, small.config),
        extra_tags={
            "dense.kind": "small",
            "dense.recipe": str(found.chosen),
            "dense.small_of": str(champion.version),
            "mlflow.note.content": found.why,
        },
    )
    home: Home = record.home
    with aliases.held(home, champion.name):
        version = record_version(client, home, given, previous=None)
        number = str(version.version)
        client.set_model_version_tag(champion.name, number, "dense.recipe", str(found.chosen))
        client.log_artifact(version.run_id, str(final / TRADEOFF))
        client.set_registered_model_alias(champion.name, SMALL, number)
    return RegisteredVersion(model=champion.name, version=number, run_id=version.run_id or "")
