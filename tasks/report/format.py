"""Numbers and settings as people read them, the same in terminal, artifact and page."""

from __future__ import annotations

import math

from conf.schema.search import Scalar

DASH = "–"


def name(metric: str) -> str:
    """A metric's name in words: `F1 macro`."""
    return metric.replace("_", " ").replace("f1", "F1")


def number(value: float | None, digits: int | None = None) -> str:
    """A metric, with the given number of decimals.

    Without `digits`, five significant digits and at most four decimals: `0.9861`, `34.217`,
    `128,450`; three significant digits below a thousandth: `4.21e-05`.
    """
    if value is None:
        return DASH
    size = abs(value)
    if digits is not None:
        return f"{value:.{digits}f}"
    if not math.isfinite(value) or 0 < size < 0.001:
        return f"{value:.3g}"
    whole = math.floor(math.log10(size)) if size >= 1 else 0
    return f"{value:,.{max(0, 4 - whole)}f}"


def setting(value: Scalar) -> str:
    """A setting; of a fraction, three significant digits."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if abs(value) < 1_000 else f"{value:.6g}"


def interval(low: float | None, high: float | None) -> str:
    """The two ends of an interval."""
    return "" if low is None or high is None else f"{number(low)} {DASH} {number(high)}"


def signed(value: float) -> str:
    """A difference, its sign always shown; below 1e-8 it counts as zero."""
    size = 0.0 if abs(value) < 1e-8 else abs(value)
    return f"{'−' if value < 0 < size else '+'}{number(size)}"


def duration(seconds: float) -> str:
    """A time span: `8.2 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def count(many: int, one: str) -> str:
    """`1 trial`, `2 trials`."""
    return f"{many:,} {one}" if many == 1 else f"{many:,} {one}s"
