"""A replay's comparison; that a real training is repeated is shown in `test_crown`."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from conf.runtime.errors import BadInput, DenseError
from conf.runtime.home import Home
from flows.cli.replay import report
from tasks.compare.replay import (
    Original,
    Replayed,
    champion_original,
    changed,
    differences,
    replay,
    trial_original,
)
from tasks.prepare import Prepared
from tasks.study.reader import StudyRecord
from tasks.track.sessions import SessionRecord
from tasks.train.engine.outcome import Outcome
from tasks.train.folder import TrialFolder, file_fact
from tasks.train.spec import Result, TrialSpec
from tests.unit.report.made import made_home, made_study


@pytest.fixture
def record(tmp_path: Path) -> StudyRecord:
    return made_study(made_home(tmp_path), trials=3, failed=(2,))


def prepared(home: Home) -> Prepared:
    path = home.data / "k"
    return Prepared("k", path, path / "train", path / "validation", {})


def with_result(record: StudyRecord, number: int) -> Path:
    """A trial's folder with the documents that the real engine leaves."""
    trial = record.trial(number)
    TrialSpec(
        study="digits", number=number, digest=trial.trial.digest, config=trial.config, seed=1,
        train="/gone/train", validation="/gone/validation", card="/gone/card.json",
        until=trial.config.train.epochs, halvings=1, trial_seconds=3.0,
    ).write(trial.path)  # fmt: skip
    weights = trial.path / "checkpoints" / "weights.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"weights")
    Result(
        outcome="complete", attempt=1, until=trial.config.train.epochs, epochs=12, seconds=1.0,
        params_total=1, params_trainable=1,
        files={"checkpoints/weights.safetensors": file_fact(weights)},
    ).write(trial.path)  # fmt: skip
    return trial.path


def copying(original: Original, change: str = "") -> tuple[Outcome, ...] | object:
    """An engine that trains to the same end, but for one change."""

    def run(spec: TrialSpec, folder: Path) -> Outcome:
        shutil.copytree(original.folder.path, folder, dirs_exist_ok=True)
        now = TrialFolder(folder)
        if change == "metric":
            lines = now.metrics.read_text().splitlines(keepends=True)
            value = original.lines[-1].metrics["train/loss"]
            lines[-1] = lines[-1].replace(repr(value), repr(math.nextafter(value, 9)))
            now.metrics.write_text("".join(lines))
        if change == "weights":
            (folder / "checkpoints" / "weights.safetensors").write_bytes(b"other")
            fact = file_fact(folder / "checkpoints" / "weights.safetensors")
            files = {"checkpoints/weights.safetensors": fact}
            original.result.model_copy(update={"files": files}).write(folder)
        if change == "predictions":
            now.predictions.unlink()
        return Outcome("failed", "nan") if change == "failed" else Outcome("complete")

    return run


def test_it_is_told_what_it_was_told_but_where_its_data_lies_now(record: StudyRecord) -> None:
    with_result(record, 0)
    original = trial_original(record, prepared(record.home), 0)
    spec = original.spec
    assert (spec.train, spec.halvings) == (str(record.home.data / "k" / "train"), 1)
    assert spec.validation == str(record.home.data / "k" / "validation")
    assert spec.trial_seconds > 3.0 and spec.config == record.trial(0).config


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param("", "equal to the last bit", id="the same"),
        pytest.param("metric", "1 of 24 values of 12 epochs differ", id="one last bit"),
        pytest.param("weights", "different", id="other weights"),
        pytest.param("predictions", "different", id="no predictions"),
        pytest.param("failed", "it ended complete then, and failed now", id="another end"),
    ],
)
def test_one_bit_is_enough(record: StudyRecord, tmp_path: Path, change: str, said: str) -> None:
    with_result(record, 0)
    original = trial_original(record, prepared(record.home), 0)
    done = replay(original, copying(original, change), tmp_path / "scratch")  # type: ignore[arg-type]
    assert done.equal is (change == "")
    assert said in "\n".join(report(done))


def test_a_stopped_replay_compares_nothing(record: StudyRecord, tmp_path: Path) -> None:
    with_result(record, 0)
    original = trial_original(record, prepared(record.home), 0)
    with pytest.raises(DenseError, match="stopped before the end"):
        replay(original, lambda spec, folder: Outcome("interrupted", "user"), tmp_path)


def test_what_there_is_on_one_side_alone_differs(record: StudyRecord) -> None:
    lines = record.trial(0).curve
    assert not list(differences(lines, lines))
    fewer = list(differences(lines, lines[:-1]))
    assert {each.epoch for each in fewer} == {lines[-1].epoch}
    assert all(each.now is None for each in fewer)


def test_what_differs_in_the_environment_is_named(record: StudyRecord) -> None:
    with_result(record, 0)
    original = trial_original(record, prepared(record.home), 0)
    assert list(changed(original)) == []
    facts = {"torch": "1.0", "python": "3.11.0", "gone": "7"}
    session = SessionRecord(time=0.0, data_key="k", commit="c" * 40, environment=facts)
    found = {name: was for name, was, _ in changed(replace(original, session=session))}
    assert found["torch"] == "1.0" and found["commit"] == "c" * 40 and found["gone"] == "7"


def test_what_cannot_be_repeated_is_said(record: StudyRecord) -> None:
    data = prepared(record.home)
    with pytest.raises(BadInput, match=r"trial 2 of digits has no result .* it is failed"):
        trial_original(record, data, 2)
    with pytest.raises(BadInput, match=r"result\.json is gone"):
        trial_original(record, data, 0)
    with pytest.raises(BadInput, match="has no trial 9"):
        trial_original(record, data, 9)
    with pytest.raises(BadInput, match="has no champion"):
        champion_original(record, data)
    (with_result(record, 1) / "metrics.jsonl").unlink()
    with pytest.raises(BadInput, match=r"metrics\.jsonl is gone"):
        trial_original(record, data, 1)


def test_what_learns_without_epochs_is_compared_by_what_it_learnt(record: StudyRecord) -> None:
    with_result(record, 0)
    original = trial_original(record, prepared(record.home), 0)
    bare = Replayed(original, Outcome("complete"), 0, (), True, None, ())
    assert bare.equal and "what was learnt is equal" in report(bare)[0]
    gone = replace(bare, weights=None)
    assert not gone.equal and "nothing that was learnt" in report(gone)[0]
