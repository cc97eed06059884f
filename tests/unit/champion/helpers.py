"""Records that the champion tests start from."""

from __future__ import annotations

from typing import Any

from conf.schema.study import TrialConfig
from tasks.evaluate.evaluation import Interval
from tasks.packaging.records import Candidate, FinalScore, Incumbent, Latency


def candidate(**changes: Any) -> Candidate:
    facts = {
        "study": "digits",
        "study_digest": "5" * 64,
        "data": "d" * 64,
        "number": 3,
        "digest": "a" * 64,
        "config": TrialConfig(),
        "value": 0.98,
        "epochs": 2,
        "seed": 11,
    }
    return Candidate.model_validate({**facts, **changes})


def incumbent(**changes: Any) -> Incumbent:
    facts = {
        "version": "1",
        "run_id": "r1",
        "study": "digits",
        "digest": "b" * 64,
        "data": "d" * 64,
        "objective": "accuracy",
        "value": 0.97,
        "test": {"accuracy": {"value": 0.96, "low": 0.94, "high": 0.98}},
    }
    return Incumbent.model_validate({**facts, **changes})


def scored(of: Candidate, value: float = 0.95) -> FinalScore:
    interval = Interval(value=value, low=value - 0.02, high=value + 0.02)
    return FinalScore(
        digest=of.digest,
        data=of.data,
        seed=of.seed,
        epochs=of.epochs,
        rows=360,
        metrics={"accuracy": interval, "f1_macro": interval},
        recall={str(digit): value for digit in range(10)},
        package="e" * 64,
        size_mb=0.5,
        latency={1: Latency(p50=1.0, p95=2.0), 32: Latency(p50=3.0, p95=4.0)},
        invariance=0.9,
        time=1_700_000_000.0,
    )
