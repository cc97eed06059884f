from __future__ import annotations

from pathlib import Path

import pytest

from conf.schema.run import Resources
from tasks.champion import training
from tasks.champion.training import train
from tasks.scoring.final_training import final_spec
from tasks.study.trial import MAX_DEATHS
from tasks.train.engine.outcome import Outcome
from tasks.train.folder import MetricLine, TrialFolder, as_text
from tasks.train.spec import Result, TrialSpec
from tests.unit.champion.helpers import candidate
from tests.unit.scoring.test_final_training import PREPARED

SPEC = final_spec(candidate(), PREPARED, Resources())
OOM, KILLED, ERROR = (Outcome("failed", cause) for cause in ("oom", "killed", "error"))  # type: ignore[arg-type]
KILLED_LATER = Outcome("failed", "killed", epochs=1)
STOPPED = Outcome("interrupted", "user")
COMPLETE = Outcome("complete", epochs=2)


class FakeEngine:
    """Ends each attempt as it is told, and writes what a real one would."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.specs: list[TrialSpec] = []

    def run(self, spec: TrialSpec, folder: Path) -> Outcome:
        self.specs.append(spec)
        spec.write(folder)
        outcome = self.outcomes.pop(0)
        if outcome.outcome == "complete":
            TrialFolder(folder).weights.parent.mkdir(parents=True, exist_ok=True)
            TrialFolder(folder).weights.touch()
            Result(
                outcome="complete", attempt=spec.attempt, until=spec.until, epochs=outcome.epochs
            ).write(folder)
        return outcome


@pytest.mark.parametrize(
    ("outcomes", "last", "halvings"),
    [
        pytest.param([COMPLETE], COMPLETE, [0], id="at once"),
        pytest.param([OOM, OOM, COMPLETE], COMPLETE, [0, 1, 2], id="smaller micro-batches"),
        pytest.param([OOM] * 4, OOM, [0, 1, 2, 3], id="no memory at all"),
        pytest.param([KILLED, COMPLETE], COMPLETE, [0, 0], id="killed once"),
        pytest.param([KILLED, KILLED], KILLED, [0, 0], id="killed twice without an epoch"),
        pytest.param(
            [KILLED, KILLED_LATER, COMPLETE], COMPLETE, [0, 0, 0], id="a new epoch between"
        ),
        pytest.param([ERROR], ERROR, [0], id="an error is not tried again"),
        pytest.param([STOPPED], STOPPED, [0], id="a stop is obeyed"),
    ],
)
def test_attempts(
    tmp_path: Path, outcomes: list[Outcome], last: Outcome, halvings: list[int]
) -> None:
    engine = FakeEngine(*outcomes)
    assert train(engine.run, SPEC, tmp_path) == last
    assert [spec.halvings for spec in engine.specs] == halvings
    assert [spec.attempt for spec in engine.specs] == list(range(1, len(halvings) + 1))


def test_a_stopped_training_goes_on_and_a_complete_one_is_left_alone(tmp_path: Path) -> None:
    engine = FakeEngine(STOPPED, COMPLETE)
    train(engine.run, SPEC, tmp_path)
    assert train(engine.run, SPEC, tmp_path).outcome == "complete"
    assert [spec.attempt for spec in engine.specs] == [1, 2]
    assert train(engine.run, SPEC, tmp_path).outcome == "complete"
    assert len(engine.specs) == 2


def test_weights_that_are_gone_are_trained_again(tmp_path: Path) -> None:
    engine = FakeEngine(COMPLETE, COMPLETE)
    train(engine.run, SPEC, tmp_path)
    TrialFolder(tmp_path).weights.unlink()
    train(engine.run, SPEC, tmp_path)
    assert len(engine.specs) == 2


def test_a_training_whose_specification_is_damaged_is_trained_again(tmp_path: Path) -> None:
    engine = FakeEngine(COMPLETE, COMPLETE)
    train(engine.run, SPEC, tmp_path)
    TrialFolder(tmp_path).spec.write_text("{")
    assert train(engine.run, SPEC, tmp_path).outcome == "complete"
    assert len(engine.specs) == 2


def test_a_driver_that_dies_again_and_again_ends_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(spec: TrialSpec, folder: Path) -> Outcome:
        raise KeyboardInterrupt  # nothing after it is done, as `end` is not

    with monkeypatch.context() as patch:
        patch.setattr(training._Deaths, "end", lambda self: None)
        for _ in range(MAX_DEATHS):
            with pytest.raises(KeyboardInterrupt):
                train(dying, SPEC, tmp_path)
    engine = FakeEngine(COMPLETE)
    failed = train(engine.run, SPEC, tmp_path)
    assert (failed.outcome, failed.cause) == ("failed", "driver")
    assert not engine.specs and str(tmp_path / "deaths.json") in failed.message
    line = MetricLine(epoch=1, step=1, time=0.0, seconds=1.0, attempt=5, metrics={})
    TrialFolder(tmp_path).metrics.write_text(as_text(line))  # a new epoch clears it
    assert train(engine.run, SPEC, tmp_path).outcome == "complete"


def test_a_driver_that_lives_is_not_counted(tmp_path: Path) -> None:
    for _ in range(MAX_DEATHS + 1):
        assert train(FakeEngine(STOPPED).run, SPEC, tmp_path).outcome == "interrupted"
    assert not (tmp_path / "deaths.json").exists()
