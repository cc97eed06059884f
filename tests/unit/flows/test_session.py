from __future__ import annotations

from pathlib import Path

from conf.study import TrialConfig
from flows.session import measured
from tasks.train.outcome import Outcome
from tests.unit.track.helpers import predict

CONFIG = TrialConfig()


def test_predictions_that_say_what_the_trial_said_leave_its_outcome(tmp_path: Path) -> None:
    predict(tmp_path, 0.75)
    said = Outcome("complete", value=0.75)
    assert measured(tmp_path, CONFIG, said) == said


def test_predictions_that_say_something_else_fail_the_trial(tmp_path: Path) -> None:
    predict(tmp_path, 0.75)
    found = measured(tmp_path, CONFIG, Outcome("complete", value=0.8, seconds=3.0))
    assert (found.outcome, found.cause, found.seconds) == ("failed", "error", 3.0)
    assert "0.8" in found.message and "0.75" in found.message


def test_predictions_that_cannot_be_read_fail_the_trial(tmp_path: Path) -> None:
    (tmp_path / "predictions.parquet").write_bytes(b"PAR1")
    found = measured(tmp_path, CONFIG, Outcome("complete", value=0.8))
    assert (found.outcome, found.cause) == ("failed", "error")
    assert "predictions.parquet" in found.message
