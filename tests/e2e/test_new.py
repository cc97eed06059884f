"""`dense new`, then `dense check` and `dense run` of what it wrote, by the real command."""

from __future__ import annotations

import pytest

from tests.e2e.command import Command
from tests.unit.draft.made import MAKERS, numbers

pytestmark = pytest.mark.long


@pytest.mark.parametrize("kind", ["table", "numbers", "images", "pairs"])
def test_what_it_writes_runs_at_once(dense: Command, kind: str) -> None:
    folder = dense.home.parent / "made"
    folder.mkdir()
    data = {**MAKERS, "numbers": numbers}[kind](folder)
    dense.env |= {"DENSE_STUDIES": str(dense.home.parent), "DENSE_DATA": str(folder)}
    new = dense.run("new", f"my-{kind}", "--data", str(data))
    assert new.returncode == 0, new.stderr
    assert f"dense run my-{kind}" in new.stdout
    assert dense.run("check", f"my-{kind}").returncode == 0
    short = ("search.trials=3", "train.epochs=4", "champion.enabled=false", "resources.slots=2")
    done = dense.run("run", f"my-{kind}", *short)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "gained" in done.stdout
