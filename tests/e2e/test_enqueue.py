"""A configuration enqueued beside a running study is its next trial."""

from __future__ import annotations

import pytest

from tests.e2e.command import Command, of

pytestmark = pytest.mark.long


def test_an_enqueued_configuration_is_tried_next_and_counts_once(dense: Command) -> None:
    study = dense.study(trials=6)
    running = dense.start("run", str(study))
    dense.until(lambda lines: bool(of(lines, "attempt")))
    asked = of(dense.journal(), "asked")
    said = dense.run("enqueue", "tiny", "train.lr=0.0123", "model.width=7")
    assert said.returncode == 0, said.stderr
    assert dense.run("enqueue", "tiny", "train.lr=7").returncode == 2
    assert running.wait(timeout=300) == 0
    lines = dense.journal()
    batch = of(lines, "asked")[len(asked)]
    first = batch["suggestions"][0]
    assert (first["origin"], first["values"]["train.lr"]) == ("enqueued", 0.0123)
    assert len(of(lines, "enqueued")) == 1
    assert len(of(lines, "finished")) == 6
    dense.assert_no_process_left()
