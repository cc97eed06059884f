from __future__ import annotations

from typing import Literal

import pytest

from conf.schema.champion import Compress
from tasks.packaging.records import Latency
from tasks.packaging.tradeoff import PLAIN, Tradeoff, choose

VALUES = {PLAIN: 0.98, "int8": 0.979, "onnx": 0.98, "onnx-int8": 0.90}
SIZES = {PLAIN: 4.0, "int8": 1.2, "onnx": 4.1, "onnx-int8": 1.1}
TIMES = {PLAIN: 3.0, "int8": 4.0, "onnx": 0.5, "onnx-int8": 0.4}


def chosen(settings: Compress, direction: Literal["minimize", "maximize"] = "maximize") -> Tradeoff:
    sign = 1 if direction == "maximize" else -1
    times = {name: {1: Latency(p50=t / 2, p95=t)} for name, t in TIMES.items()}
    values = {name: sign * value for name, value in VALUES.items()}
    return choose(values, SIZES, times, "accuracy", direction, settings)


@pytest.mark.parametrize(
    ("settings", "recipe"),
    [
        pytest.param(Compress(), "int8", id="smallest within the bound"),
        pytest.param(Compress(prefer="latency"), "onnx", id="fastest within the bound"),
        pytest.param(Compress(loss=0.1), "onnx-int8", id="a wide bound"),
        pytest.param(Compress(loss=0.0), None, id="none is smaller without a loss"),
        pytest.param(Compress(loss=0.0, prefer="latency"), "onnx", id="free"),
    ],
)
def test_the_rule(settings: Compress, recipe: str | None) -> None:
    for direction in ("maximize", "minimize"):
        found = chosen(settings, direction)  # type: ignore[arg-type]
        assert found.chosen == recipe and (recipe or "no recipe") in found.why
        assert found.rows[1].loss == pytest.approx(0.001)
