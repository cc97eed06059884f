"""Numbers and settings as people read them."""

from __future__ import annotations

import pytest

from tasks.report import format


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (8.24, "8.2 s"), (200, "3 min 20 s"), (119.6, "2 min 0 s"), (7500, "2 h 5 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert format.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.00012345, "0.000123"), (32, "32"), (True, "true"), (None, "null"), ("adam", "adam"),
     (10.0, "10"), (12345.6, "12345.6")],
)  # fmt: skip
def test_settings(value: object, text: str) -> None:
    assert format.setting(value) == text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.98614, "0.9861"), (0.0, "0.0000"), (34.21678, "34.217"), (987.654321, "987.65"),
     (128449.61, "128,450"), (4.2123e-5, "4.21e-05"), (-12.5, "-12.500"), (None, "–"),
     (float("inf"), "inf")],
)  # fmt: skip
def test_metrics_have_sensible_digits(value: float | None, text: str) -> None:
    assert format.number(value) == text


def test_a_difference_has_its_sign() -> None:
    assert format.signed(-1250.126) == "−1,250.1"
    assert (format.signed(0.01), format.signed(-0.01)) == ("+0.0100", "−0.0100")
    assert format.signed(-1e-9) == "+0.0000"
