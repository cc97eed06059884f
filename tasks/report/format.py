"""Numbers and settings as people read them, the same in terminal, artifact and page."""

from __future__ import annotations

from conf.schema.search import Scalar

DASH = "–"


def name(metric: str) -> str:
    """A metric's name in words: `F1 macro`."""
    return metric.replace("_", " ").replace("f1", "F1")


def number(value: float | None, digits: int = 4) -> str:
    """A metric, with so many decimals."""
    return DASH if value is None else f"{value:.{digits}f}"


def setting(value: Scalar) -> str:
    """A setting; of a fraction, three significant digits."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if abs(value) < 1_000 else f"{value:.6g}"


def interval(low: float | None, high: float | None) -> str:
    """The two ends of an interval."""
    return "" if low is None or high is None else f"{low:.4f} {DASH} {high:.4f}"


def signed(value: float) -> str:
    """A difference, its sign always shown."""
    return f"{round(value, 4) + 0.0:+.4f}".replace("-", "−")  # + 0.0: no negative zero


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
