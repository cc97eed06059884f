"""Synthetic losses to develop on: each has one trait of real tunings, in a mixed space.

`tree` is flat over most of the space and stepped in the rest; `boost` smooth under rough ground;
`net` smooth, with divergence at high rates; `svm` a count of errors, with ties; `valley` narrow and
curved; `steps` the sum of interactions of thresholds. Roughness is a hash of the values: the same
in every process.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from typing import Any

Values = Mapping[str, Any]
NET: dict[str, dict[str, Any]] = {
    "rate": {"low": 1e-5, "high": 1.0, "scale": "log"},
    "width": {"low": 8, "high": 256, "type": "int", "scale": "log"},
    "decay": {"low": 1e-6, "high": 1e-1, "scale": "log"},
    "drop": {"low": 0.0, "high": 0.7},
    "mom": {"low": 0.5, "high": 0.99, "scale": "logit"},
    "act": {"choices": ["r", "t", "g"]},
    "norm": {"choices": [True, False]},
}
SPACES: dict[str, dict[str, dict[str, Any]]] = {
    "tree": {
        "depth": {"low": 1, "high": 15, "type": "int"},
        "split": {"low": 0.01, "high": 0.99, "scale": "logit"},
        "leaf": {"low": 0.01, "high": 0.49, "scale": "logit"},
        "feat": {"low": 0.01, "high": 0.99, "scale": "logit"},
        "imp": {"low": 0.0, "high": 0.5},
        "crit": {"choices": ["a", "b"]},
    },
    "boost": {
        "n": {"low": 3, "high": 12, "type": "int", "scale": "log"},
        "rate": {"low": 1e-3, "high": 1.0, "scale": "log"},
        "depth": {"low": 1, "high": 6, "type": "int"},
        "sub": {"low": 0.3, "high": 1.0},
        "feat": {"low": 0.01, "high": 0.99, "scale": "logit"},
    },
    "svm": {
        "C": {"low": 1e-2, "high": 1e3, "scale": "log"},
        "g": {"low": 1e-5, "high": 1.0, "scale": "log"},
        "tol": {"low": 1e-5, "high": 1e-1, "scale": "log"},
        "k": {"choices": ["r", "s", "p"]},
    },
    "net": NET,
    "valley": NET,
    "steps": NET,
}
_ROWS = 94


def _even(*parts: Any) -> float:
    """A uniform number in [0, 1): a hash of the parts."""
    return int.from_bytes(hashlib.md5(repr(parts).encode()).digest()[:6], "big") / 2**48


def _normal(*parts: Any) -> float:
    """A standard normal number: a hash of the parts."""
    radius = math.sqrt(-2.0 * math.log(max(_even(*parts), 1e-12)))
    return radius * math.cos(2.0 * math.pi * _even("b", *parts))


def _tree(v: Values) -> float:
    leaf, split = math.ceil(v["leaf"] * _ROWS), max(2, math.ceil(v["split"] * _ROWS))
    depth = min(v["depth"], 9, max(0.0, math.log2(_ROWS / max(leaf, split / 2))))
    if v["imp"] > 0.12 or depth < 0.5:
        return 1.0
    features = max(1, int(v["feat"] * 12))
    overfit = 0.012 * max(0.0, depth - 4.0) ** 1.5 + 0.02 * abs(features - 7) / 6
    rough = _normal(
        int(depth * 1.7), leaf // 2 if leaf < 30 else 15, features, v["crit"], int(v["imp"] * 40), 0
    )
    return 1.0 - 0.55 * (1.0 - math.exp(-depth / 1.6)) + overfit + 0.04 * rough


def _boost(v: Values) -> float:
    rows, features = int(v["sub"] * _ROWS), max(1, int(v["feat"] * 10))
    learned = math.log(v["rate"] * v["n"])
    side = 0.06 * (learned - 1.0) ** 2
    if learned <= 1.0:
        side = 0.45 * (1.0 - math.exp(-(((learned - 1.0) / 2.2) ** 2)))
    smooth = 0.55 + side + 0.03 * abs(v["depth"] - 3) / 2 + 0.03 * (1.0 - v["sub"])
    rough = _normal(v["n"], v["depth"], rows, features) * (1.0 if learned > -1.0 else 0.2)
    slow = _normal(v["n"], round(math.log(v["rate"]) * 3))
    return smooth + 0.02 * abs(features - 6) / 5 + 0.03 * rough + 0.01 * slow


def _net(v: Values) -> float:
    rate = math.log10(v["rate"])
    best = {"r": -2.6, "t": -2.1, "g": -3.0}[v["act"]] + 0.5 * v["norm"]
    edge = best + 1.4 + 0.3 * v["norm"]
    if rate > edge:
        return 2.3 + 3.0 * (rate - best - 1.4)
    loss = 0.12 * (rate - best) ** 2 + 0.05 * (math.log2(v["width"]) - 6.5) ** 2 / 4
    loss += 0.03 * abs(math.log10(v["decay"]) + 3.5) + 0.15 * (v["drop"] - 0.25) ** 2
    loss += 0.05 * (v["mom"] - 0.9) ** 2 + {"r": 0.0, "t": 0.06, "g": 0.02}[v["act"]]
    return 0.3 + loss + 0.04 * (not v["norm"]) + 0.004 * _normal(*sorted(v.items()))


def _svm(v: Values) -> float:
    c, g = math.log10(v["C"]), math.log10(v["g"])
    loss = {
        "r": 0.03 + 0.12 * max(0.0, abs(g + 2.2 + 0.3 * (c - 1)) - 0.4) + 0.05 * max(0.0, 0.3 - c),
        "s": 0.06 + 0.08 * abs(g + 3 + 0.5 * c),
        "p": 0.12 + 0.2 * max(0.0, -(c + 3 * g) / 4),
    }[v["k"]]
    loss = min(loss + 0.01 * max(0.0, math.log10(v["tol"]) + 2.5), 0.9)
    return round(loss * 150 + 0.6 * _normal(round(c * 4), round(g * 4), v["k"])) / 150


def _valley(v: Values) -> float:
    x, y = (math.log10(v["rate"]) + 5) / 5, math.log2(v["width"] / 8) / 5
    z = (math.log10(v["decay"]) + 6) / 5
    bend = 8 * (y - 0.2 - 0.9 * (x - 0.3) ** 2) ** 2 + (x - 0.62) ** 2
    bend += 0.6 * (z - 0.5 * x - 0.2) ** 2 + 0.3 * (v["drop"] - 0.1) ** 2
    kind = {"r": 0.02, "t": 0.0, "g": 0.08}[v["act"]] * (1 + v["norm"])
    return bend + 0.2 * (v["mom"] - 0.8) ** 2 + kind + 0.03 * v["norm"] * (1 - x)


def _steps(v: Values) -> float:
    total = 0.0
    for index in range(12):
        rate, width, drop, worth = (_even(index, j) for j in range(4))
        one = (math.log10(v["rate"]) / -5 > rate) * (v["width"] > 8 * 2 ** (5 * width))
        other = (v["drop"] > 0.7 * drop) * (v["act"] == "r" or v["norm"])
        total += (worth - 0.5) * (one ^ other)
    return total + 0.05 * abs(v["drop"] - 0.3) + 0.02 * abs(math.log10(v["decay"]) + 3)


LOSSES: dict[str, Callable[[Values], float]] = {
    "tree": _tree,
    "boost": _boost,
    "net": _net,
    "svm": _svm,
    "valley": _valley,
    "steps": _steps,
}
