"""On the CPU, bit for bit: interrupted = paused and continued = replayed = straight through."""

from __future__ import annotations

from pathlib import Path

import pytest

from conf.runtime.home import Home
from tasks.train.engine.client import TrialServer
from tasks.train.engine.local import LocalEngine
from tasks.train.engine.outcome import Outcome
from tasks.train.folder import TrialFolder
from tasks.train.spec import Result
from tests.integration.train.conftest import EPOCHS, MakeSpec, assert_same

DEATHS = (
    "die-in-batch",
    "die-before-checkpoint",
    "die-in-checkpoint",
    "die-before-line",
    "die-in-line",
    "die-after-line",
    "die-before-result",
    "garbage",
)


def run_until_complete(engine: LocalEngine, make_spec: MakeSpec, fault: str, path: Path) -> Outcome:
    """Attempts as the policy would make them, three at most."""
    for attempt in (1, 2, 3):
        outcome = engine.run(make_spec(fault, attempt=attempt), path)
        if outcome.outcome == "complete":
            return outcome
        assert outcome.cause in ("killed", "infrastructure", "oom"), outcome
    raise AssertionError("the trial does not come to its end")


def test_replayed_equals_first_run(
    engine: LocalEngine, make_spec: MakeSpec, reference: TrialFolder, tmp_path: Path
) -> None:
    assert engine.run(make_spec(), tmp_path).outcome == "complete"
    assert_same(TrialFolder(tmp_path), reference)


@pytest.mark.long
def test_a_second_server_gives_the_same(
    train_home: Home, make_spec: MakeSpec, reference: TrialFolder, tmp_path: Path
) -> None:
    server = TrialServer.start(tmp_path / "log")
    with LocalEngine(train_home, slots=1, server=server) as engine:
        assert engine.run(make_spec(), tmp_path / "trial").outcome == "complete"
    assert_same(TrialFolder(tmp_path / "trial"), reference)


@pytest.mark.parametrize("fault", DEATHS)
def test_killed_and_resumed_equals_straight_through(
    fault: str, engine: LocalEngine, make_spec: MakeSpec, reference: TrialFolder, tmp_path: Path
) -> None:
    first = engine.run(make_spec(fault), tmp_path)
    assert (first.outcome, first.cause) == ("failed", "killed")
    outcome = engine.run(make_spec(fault, attempt=2), tmp_path)
    assert outcome.outcome == "complete"
    assert outcome.value == Result.read(reference.path).value  # type: ignore[union-attr]
    assert_same(TrialFolder(tmp_path), reference)


@pytest.mark.parametrize("rungs", [(1, EPOCHS), (3, EPOCHS), (1, 2, 3, EPOCHS)], ids=str)
def test_paused_and_promoted_equals_straight_through(
    rungs: tuple[int, ...],
    engine: LocalEngine,
    make_spec: MakeSpec,
    reference: TrialFolder,
    tmp_path: Path,
) -> None:
    for attempt, until in enumerate(rungs, start=1):
        outcome = engine.run(make_spec(until=until, attempt=attempt), tmp_path)
        assert outcome.outcome == ("complete" if until == EPOCHS else "paused")
        assert outcome.epochs == until
    assert_same(TrialFolder(tmp_path), reference)


@pytest.mark.parametrize("spoil", ["newest", "all"])
def test_a_checkpoint_that_does_not_load_gives_way(
    spoil: str, engine: LocalEngine, make_spec: MakeSpec, reference: TrialFolder, tmp_path: Path
) -> None:
    engine.run(make_spec(until=3), tmp_path)
    checkpoints = sorted(TrialFolder(tmp_path).checkpoints.glob("*.ckpt"))
    assert [path.stem for path in checkpoints] == ["000002", "000003"]
    for path in checkpoints[-1:] if spoil == "newest" else checkpoints:
        path.write_bytes(path.read_bytes()[:1000])
    outcome = engine.run(make_spec(attempt=2), tmp_path)
    assert outcome.outcome == "complete"
    start = 2 if spoil == "newest" else 0
    assert f"continued from epoch {start}" in outcome.warnings
    assert_same(TrialFolder(tmp_path), reference)


def test_a_line_that_is_missing_is_written_from_the_checkpoint(
    engine: LocalEngine, make_spec: MakeSpec, reference: TrialFolder, tmp_path: Path
) -> None:
    engine.run(make_spec(until=3), tmp_path)
    metrics = TrialFolder(tmp_path).metrics
    metrics.write_text("".join(metrics.read_text().splitlines(keepends=True)[:1]))
    outcome = engine.run(make_spec(attempt=2), tmp_path)
    assert outcome.outcome == "complete" and outcome.warnings
    assert_same(TrialFolder(tmp_path), reference)


def test_an_epoch_trained_again_keeps_its_line(
    engine: LocalEngine, make_spec: MakeSpec, tmp_path: Path
) -> None:
    engine.run(make_spec(until=2), tmp_path)
    folder = TrialFolder(tmp_path)
    before = folder.metrics.read_text()
    for path in folder.checkpoints.glob("*.ckpt"):
        path.unlink()
    engine.run(make_spec(attempt=2), tmp_path)
    assert folder.metrics.read_text().startswith(before)
    assert [line.attempt for line in folder.read_metrics()] == [1, 1, 2, 2]
