"""Processes that load a trial's batches change nothing of what it learns."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.train.engine.local import LocalEngine
from tasks.train.folder import TrialFolder
from tasks.train.spec import TrialSpec
from tests.integration.train.conftest import EPOCHS, MakeSpec, assert_same


def test_two_workers_give_what_none_give(
    engine: LocalEngine, make_spec: MakeSpec, reference: TrialFolder, tmp_path: Path
) -> None:
    assert engine.run(make_spec(workers=2), tmp_path).outcome == "complete"
    assert_same(TrialFolder(tmp_path), reference)
    assert TrialSpec.read(tmp_path).workers == 2


@pytest.mark.parametrize("workers", [2, 0], ids=["with workers", "without"])
def test_a_trial_may_go_on_with_another_number_of_workers(
    workers: int, engine: LocalEngine, make_spec: MakeSpec, reference: TrialFolder, tmp_path: Path
) -> None:
    first = engine.run(make_spec(workers=2 - workers, until=EPOCHS // 2), tmp_path)
    assert first.outcome == "paused"
    assert engine.run(make_spec(workers=workers, attempt=2), tmp_path).outcome == "complete"
    assert_same(TrialFolder(tmp_path), reference)
