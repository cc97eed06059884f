"""Whether two runs of one study came to the same: what a kill must not change."""

from __future__ import annotations

from typing import Any

import pyarrow.parquet as pq
from mlflow import MlflowClient

from tests.e2e.command import Command, of

CLOCKED = ("seconds", "gpu_hours", "latency_ms", "system")
"""Metrics that read the clock."""


def suggestions(dense: Command, name: str = "tiny") -> list[Any]:
    """Everything in the `asked` lines but what reads the clock."""
    return [{**line, "time": 0, "seconds": 0} for line in of(dense.journal(name), "asked")]


def values(dense: Command, name: str = "tiny") -> dict[int, float]:
    """The objective of every trial that completed; each completes once."""
    lines = [line for line in of(dense.journal(name), "finished") if line["outcome"] == "complete"]
    found = {line["number"]: line["value"] for line in lines}
    assert len(found) == len(lines), "a trial finished twice"
    return found


def champion(dense: Command, name: str = "tiny") -> dict[str, Any] | None:
    """What was crowned, without the registry's own numbers; None where nothing was."""
    facts = [line["facts"] for line in of(dense.journal(name), "champion")]
    crowned = [fact for fact in facts if "version" in fact]
    if not crowned:
        return None
    return {key: crowned[-1][key] for key in ("digest", "validation", "test")}


def predictions(dense: Command, name: str = "tiny") -> dict[str, Any]:
    """Every trial's saved predictions, by folder name; the champion's too."""
    files = sorted((dense.home / "trials" / name).glob("*/predictions.parquet"))
    return {path.parent.name: pq.read_table(path).to_pydict() for path in files}


def metrics(dense: Command, name: str = "tiny") -> dict[str, dict[str, list[tuple[int, float]]]]:
    """What MLflow holds of every trial, times and seconds aside: metric to (step, value)s."""
    client = MlflowClient(f"sqlite:///{dense.home / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], "tags.`dense.kind` = 'trial'")
    found = {}
    for run in runs:
        keys = [key for key in run.data.metrics if not key.startswith(CLOCKED)]
        found[run.data.tags["dense.trial"]] = {
            key: sorted((m.step, m.value) for m in client.get_metric_history(run.info.run_id, key))
            for key in sorted(keys)
        }
        assert run.info.status == "FINISHED", run.data.tags
    assert len(found) == len(runs), "a trial has two runs"
    return found


def assert_same(one: Command, other: Command, name: str = "tiny") -> None:
    """Suggestions, values, predictions and record are equal to the bit; so are the champions,
    where both have one."""
    assert suggestions(one, name) == suggestions(other, name)
    assert values(one, name) == values(other, name)
    won = champion(one, name), champion(other, name)
    assert won[0] == won[1] or None in won
    saved = predictions(one, name), predictions(other, name)
    assert {f for f in saved[0] if f[0].isdigit()} == {f for f in saved[1] if f[0].isdigit()}
    assert all(saved[0][folder] == saved[1][folder] for folder in saved[0].keys() & saved[1].keys())
    assert metrics(one, name) == metrics(other, name)
