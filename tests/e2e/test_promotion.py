"""What one run of a study left paused, a later run promotes and trains to its end."""

from __future__ import annotations

import json

import pytest

from tests.e2e.command import Command, of

RUNGS = (
    "search.rungs={first: 1, factor: 2}",
    "search.space={train.lr: {low: 1e-6, high: 1e-2, scale: log}}",
    "search.strategy=random",
    "search.synchronous=false",
    "train.lr=3e-3",
)


@pytest.mark.long
def test_a_later_run_promotes_what_an_earlier_one_paused(dense: Command) -> None:
    study = str(dense.study(epochs=4, trials=2))
    # The first goes on at once, as the only one at its rung; a poorer second has to wait there.
    dense.json("run", study, *RUNGS, "search.trials=1")
    dense.run("enqueue", "tiny", "train.lr=3e-4")
    dense.json("run", study, *RUNGS, "search.trials=2")
    first = dense.journal()
    ends = {line["number"]: line["outcome"] for line in of(first, "finished")}
    waiting = {number for number, outcome in ends.items() if outcome == "paused"}
    assert waiting == {1}, "nothing was left for tomorrow"
    # Still poorer ones make it one of the better half.
    for rate in ("1e-6", "2e-6"):
        dense.run("enqueue", "tiny", f"train.lr={rate}")
    dense.json("run", study, *RUNGS, "search.trials=4")
    later = dense.journal()[len(first) :]
    promoted = {line["number"] for line in of(later, "promoted")} & waiting
    assert promoted, "no one from the run before was promoted"
    for number in promoted:
        folder = next((dense.home / "trials" / "tiny").glob(f"{number}-*"))
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        attempts = [line["attempt"] for line in lines]
        assert len(set(attempts)) > 1 and attempts == sorted(attempts)
        assert [line["epoch"] for line in lines] == list(range(1, len(lines) + 1))
