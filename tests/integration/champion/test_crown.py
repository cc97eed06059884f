from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from safetensors.numpy import load_file

from conf.runtime import child_process
from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.champion import Compress
from conf.schema.study import Study
from tasks.champion import pipeline
from tasks.champion.context import ChampionContext, Note
from tasks.champion.pipeline import run_champion_step
from tasks.champion.rebuild_record import restore_versions
from tasks.compare.replay import champion_original, replay, trial_original
from tasks.compress.compress import compress
from tasks.packaging.records import ChampionResult
from tasks.packaging.tradeoff import PLAIN
from tasks.prepare import Prepared, prepare, test_path
from tasks.registry import aliases
from tasks.registry.promote import rollback
from tasks.study.reader import StudyRecord
from tasks.track import store
from tasks.train.engine.local import LocalEngine
from tasks.train.engine.outcome import Outcome
from tasks.train.folder import TrialFolder
from tasks.train.spec import TrialSpec
from tests.integration.champion.study import note_into, opened, run_trials, small_study

POOR, GOOD = {"train.lr": 1e-4}, {"train.lr": 1e-2}


@dataclass
class Stage:
    """A study with one poor trial, and everything that the champion step needs."""

    home: Home
    study: Study
    prepared: Prepared
    engine: LocalEngine
    client: MlflowClient
    record: StudyRecord
    trained: list[Path] = field(default_factory=list)

    def run(self, spec: TrialSpec, folder: Path) -> Outcome:
        self.trained.append(folder)
        return self.engine.run(spec, folder)

    def crown(self) -> ChampionResult:
        champion = run_champion_step(self.context(note_into(self.home, self.study)))
        self.record = StudyRecord.read(self.home, self.study.name)
        assert champion is not None
        return champion

    def context(self, note: Note) -> ChampionContext:
        return ChampionContext(self.record, self.prepared, self.run, self.client, note)

    def steps(self) -> list[str]:
        return [event.step for event in self.record.state.champion]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    with LocalEngine(Home.open(tmp_path_factory.mktemp("engine")), slots=1) as engine:
        yield engine


@pytest.fixture
def stage(home: Home, engine: LocalEngine, with_mlflow: Callable[[Home], Home]) -> Stage:
    with_mlflow(home)
    study = small_study()
    prepared = prepare(study, home)
    record = run_trials(home, study, prepared, engine, [POOR])
    client = store.client(store.bootstrap(home))
    client.create_experiment(study.name, artifact_location=(home.artifacts / "digits").as_uri())
    return Stage(home, study, prepared, engine, client, record)


def test_stopped_or_killed_before_each_part_it_is_crowned_once_and_again_when_it_found_better(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stopped_and_killed(stage, monkeypatch)
    first = stage.crown()
    assert (first.decision.verdict, first.version) == ("unchanged", "1")
    assert stage.steps() == ["decided", "trained", "scored", "judged", "crowned"]
    assert stage.record.state.champion[-2].facts["verdict"] == "crown"
    assert len(stage.client.search_model_versions("name = 'digits'")) == 1
    assert set(first.test) == {"accuracy", "f1_macro"}

    again = stage.crown()
    assert again.decision.verdict == "unchanged"
    assert (again.version, again.test) == (first.version, first.test)
    assert len(stage.trained) == 1
    assert len(stage.steps()) == 5

    stage.record = run_trials(stage.home, stage.study, stage.prepared, stage.engine, [GOOD])
    better = stage.crown()
    assert better.decision.verdict == "crown"
    assert better.validation > first.validation
    assert better.version == "2"
    assert len(stage.trained) == 2
    assert str(stage.client.get_model_version_by_alias("digits", "champion").version) == "2"

    test = str(test_path(stage.prepared))
    assert not [p for p in stage.home.path.rglob("spec.json") if test in p.read_text()]

    for original in (
        trial_original(stage.record, stage.prepared, 0),
        champion_original(stage.record, stage.prepared),
        champion_original(stage.record, stage.prepared, first.digest),
    ):
        again = replay(original, stage.engine.run, stage.home.path / original.words)
        assert again.equal and again.weights and not again.environment
    other = original.spec.model_copy(update={"seed": 1})
    again = replay(replace(original, spec=other), stage.engine.run, stage.home.path / "other")
    assert not again.equal and again.differing and again.weights is False


def _stopped_and_killed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the user after the training, then before each part that follows."""
    note = note_into(stage.home, stage.study)
    stopped = run_champion_step(replace(stage.context(note), stopping=lambda: True))
    assert stopped is None and aliases.aliased(stage.client, "digits") is None
    stage.record = StudyRecord.read(stage.home, "digits")
    assert stage.steps() == ["decided", "trained"]
    for part in ("score", "register"):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(pipeline, part, _killed)
            stage.crown()
        assert aliases.aliased(stage.client, "digits") is None
        stage.record = StudyRecord.read(stage.home, "digits")

    def dying(step: str, facts: Mapping[str, Any]) -> None:
        if step == "crowned":
            raise KeyboardInterrupt
        note(step, facts)

    with pytest.raises(KeyboardInterrupt):
        run_champion_step(stage.context(dying))
    stage.record = StudyRecord.read(stage.home, "digits")


@pytest.mark.long
def test_restored_in_another_mlflow_the_champion_is_there_and_the_journal_as_it_was(
    stage: Stage, migrated_database: Path
) -> None:
    crowned = stage.crown()
    before = stage.record.state
    other = shutil.copy(migrated_database, stage.home.path / "other.db")
    uri = f"sqlite:///{other}"
    client = store.client(uri)
    client.create_experiment("digits", artifact_location=(stage.home.path / "other").as_uri())
    for _ in range(2):
        assert restore_versions(stage.record, uri).versions == 1
    held = aliases.incumbent(client, "digits")
    assert held is not None and held.digest == crowned.digest
    assert len(client.search_model_versions("name = 'digits'")) == 1
    assert StudyRecord.read(stage.home, "digits").state == before


@pytest.mark.long
def test_the_gate_keeps_the_alias_and_names_its_reasons(stage: Stage) -> None:
    first = stage.crown()
    strict = {"gate": {"minimum": {"accuracy": 1.0}, "latency_ms": 60_000}}
    stage.study = small_study(champion=strict)
    stage.record = run_trials(stage.home, stage.study, stage.prepared, stage.engine, [GOOD])
    refused = stage.crown()
    assert (refused.decision.verdict, refused.version) == ("refused", first.version)
    rules = [(reason.rule, reason.passed) for reason in refused.decision.reasons]
    assert rules == [("minimum", False), ("no_loss", True), ("latency", True)]
    challenger = stage.client.get_model_version_by_alias("digits", "challenger")
    assert (str(challenger.version), challenger.tags["dense.verdict"]) == ("2", "refused")
    assert "failed minimum: accuracy is" in challenger.tags["dense.reasons"]
    stage.study = small_study(champion={"gate": {"minimum": {"accuracy": 0.2}}})
    with opened(stage.home, stage.study):
        pass
    stage.record = StudyRecord.read(stage.home, "digits")
    loosened = stage.crown()
    assert (loosened.decision.verdict, loosened.version) == ("crown", "2")
    assert rollback(stage.client, stage.home, "digits").now.version == first.version
    stage.record = StudyRecord.read(stage.home, "digits")
    kept = stage.crown()
    assert (kept.decision.verdict, kept.version) == ("keep", first.version)
    assert len(stage.trained) == 2


@pytest.mark.long
def test_the_best_are_tested_again_on_fresh_seeds_and_nothing_is_run_twice(stage: Stage) -> None:
    settings = {"retest": 2, "repeats": 2}
    stage.study = small_study(champion=settings)
    stage.record = run_trials(stage.home, stage.study, stage.prepared, stage.engine, [GOOD])
    crowned = stage.crown()
    (found,) = [e.facts for e in stage.record.state.champion if e.step == "retested"]
    assert [entry["number"] for entry in found["entries"]] == [1, 0]
    assert found["chosen"] == 1
    assert len(stage.trained) == 2 * 2 + 1
    assert len({folder.name.split("-")[-1] for folder in stage.trained}) == 2 + 1
    values = found["entries"][0]["values"]
    assert crowned.validation == sum(values) / 2
    assert stage.crown().decision.verdict == "unchanged"
    assert len(stage.trained) == 5


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_champion_made_small_is_registered_beside_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match="no registered model 'digits'"):
        compress(stage.client, stage.record, Compress(), stage.run)
    stage.study = small_study(champion={"retest": 2, "repeats": 2})
    wide = {**GOOD, "model.width": 32}  # of small models little is left to win
    stage.record = run_trials(stage.home, stage.study, stage.prepared, stage.engine, [wide])
    crowned = stage.crown()
    asked: list[Mapping[str, Any]] = []
    call = child_process.call

    def spied(module: str, request: Mapping[str, Any], **how: Any) -> Any:
        asked.append(request)
        return call(module, request, **how)

    monkeypatch.setattr(child_process, "call", spied)
    found = compress(stage.client, stage.record, Compress(loss=0.5), stage.run)
    (folder,) = {each["folder"] for each in asked[0]["requests"].values()}
    assert TrialSpec.read(Path(folder)).validation and "champion-" in folder  # a re-test's
    (final,) = {each["folder"] for batch in asked[1:] for each in batch["requests"].values()}
    assert TrialSpec.read(Path(final)).validation is None
    assert [row.recipe for row in found.tradeoff.rows] == [PLAIN, "int8", "onnx", "onnx-int8"]
    assert found.registered is not None and found.score is not None
    assert found.score.size_mb < found.tradeoff.rows[0].size_mb
    again = compress(stage.client, stage.record, Compress(loss=0.5, recipes=("int8",)), stage.run)
    assert again.tradeoff.chosen == "int8"
    alias = stage.client.get_model_version_by_alias("digits", "small")
    assert alias.tags["dense.recipe"] == "int8" and alias.run_id == again.registered.run_id  # type: ignore[union-attr]
    trainings = len(stage.trained)
    thin = Compress(loss=0.9, recipes=("prune",), sparsity=0.8, recover=1)
    pruned = compress(stage.client, stage.record, thin, stage.run)
    assert pruned.tradeoff.chosen == "prune" and pruned.score is not None
    on_train, on_both = map(TrialSpec.read, stage.trained[trainings:])
    assert not on_train.also and on_both.also and not on_train.validation
    assert on_train.begin == str(TrialFolder(Path(folder)).weights)
    weights = load_file(TrialFolder(stage.trained[-1]).weights).values()
    large = np.concatenate([each.ravel() for each in weights if each.ndim > 1 and each.size > 512])
    assert (large == 0).mean() == pytest.approx(0.8, abs=0.01)
    assert compress(stage.client, stage.record, thin, stage.run).score == pruned.score
    assert len(stage.trained) == trainings + 2  # found, not trained again
    thinner = thin.model_copy(update={"sparsity": 0.9})
    assert compress(stage.client, stage.record, thinner, stage.run).score != pruned.score

    with pytest.raises(BadInput, match=r"a complete trial with at most .* raise champion.compress"):
        compress(
            stage.client, stage.record, Compress(recipes=("distill",), student=0.01), stage.run
        )
    little = Compress(loss=0.9, recipes=("distill",))
    distilled = compress(stage.client, stage.record, little, stage.run)
    assert distilled.tradeoff.chosen == "distill" and distilled.score is not None
    on_train, on_both = map(TrialSpec.read, stage.trained[-2:])
    assert (on_train.teacher, on_both.teacher) == (folder, final) and on_both.also
    assert on_both.config.model == stage.record.trial(0).config.model  # the only small one
    assert distilled.score.size_mb < found.tradeoff.rows[0].size_mb / 2
    small = stage.client.get_model_version_by_alias("digits", "small")
    assert (small.tags["dense.recipe"], small.tags["dense.trial"]) == ("distill", "0")

    half = Compress(loss=0.9, recipes=("narrow",), recover=1)
    narrow = compress(stage.client, stage.record, half, stage.run)
    assert narrow.tradeoff.chosen == "narrow" and narrow.score is not None
    whole, thin = (TrialSpec.read(Path(each)).config for each in (final, stage.trained[-1]))
    assert thin.model.width == round(whole.model.width / 2)  # type: ignore[union-attr]
    assert narrow.score.size_mb < 0.7 * found.tradeoff.rows[0].size_mb

    champion = stage.client.get_model_version_by_alias("digits", "champion")
    assert str(champion.version) == crowned.version
    assert stage.crown().decision.verdict == "unchanged"

    mlflow.set_tracking_uri(f"sqlite:///{stage.home.mlflow_database}")
    for version in {found.registered.version, str(alias.version)}:
        model = mlflow.pyfunc.load_model(f"models:/digits/{version}")
        assert len(model.predict(np.zeros((3, 8, 8)))) == 3
