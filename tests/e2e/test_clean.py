"""`dense clean` beside a running study takes what nobody uses, and nothing of the study's."""

from __future__ import annotations

import pytest

from conf.runtime.home import Home
from conf.schema.study import Study
from tasks.prepare import prepare
from tests.e2e.command import Command, of

pytestmark = pytest.mark.long


def test_a_running_study_keeps_its_data(dense: Command) -> None:
    study = dense.study(trials=4)
    running = dense.start("run", str(study))
    dense.until(lambda lines: bool(of(lines, "attempt")))
    other = prepare(Study(name="other", seed=5), Home.open(dense.home))
    said = dense.run("clean", "--days", "0")
    assert said.returncode == 0, said.stderr
    assert other.key in said.stdout and said.stdout.count("\n") == 2
    assert running.wait(timeout=300) == 0
    assert len(of(dense.journal(), "finished")) == 4
    assert not other.path.exists()
    dense.assert_no_process_left()
