"""The page of a drift report: one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from conf.runtime.atomic_write import write_atomically
from tasks.monitor.drift import DriftReport, DriftTest, FeatureDrift
from tasks.report import format
from tasks.report.figures.base import Figure
from tasks.report.page import render

MOST_FEATURES = 40


def write_page(folder: Path, look: DriftReport, earlier: Sequence[DriftReport]) -> Path:
    """Write the page into a folder, and return its path."""
    path = folder / "monitor.html"
    write_atomically(path, render("monitor.html", view(look, earlier)))
    return path


@dataclass(frozen=True)
class MonitorPage:
    """Everything that `monitor.html` shows; its fields are the template's variables."""

    look: DriftReport
    when: str
    tests: list[tuple[str, str, str, str, str]]
    """Name, statistic, value, p-value and verdict of each test."""
    each: str
    """Significance level of a single test."""
    features: list[tuple[str, ...]]
    left_out: int
    metrics: list[tuple[str, ...]]
    figures: Mapping[str, Figure]


def view(look: DriftReport, earlier: Sequence[DriftReport]) -> MonitorPage:
    """The page of a drift report, with a chart of the earlier ones."""
    features = sorted(look.features, key=lambda each: (not each.tested, -each.distance))
    return MonitorPage(
        look=look,
        when=_when(look),
        tests=[
            (test.name, test.statistic, f"{test.value:.3f}", _p(test.p), _verdict(look, test))
            for test in look.tests
        ],
        each=f"{look.alpha / max(1, len(look.tests)):.2g}",
        features=[_feature(one) for one in (*look.answers, *features[:MOST_FEATURES])],
        left_out=max(0, len(features) - MOST_FEATURES),
        metrics=[
            (format.name(name), format.number(now.value), format.interval(now.low, now.high),
             *_promise(look, name))
            for name, now in look.metrics.items()
        ],
        figures=_figures(look, earlier),
    )  # fmt: skip


def _feature(drift: FeatureDrift) -> tuple[str, ...]:
    numbers = f"{drift.before:.3g}", f"{drift.now:.3g}", f"{drift.distance:.3f}"
    p = _p(drift.p) if drift.tested else "not tested"
    return drift.title, *numbers, p, f"{drift.stability:.2f}"


def _verdict(look: DriftReport, test: DriftTest) -> str:
    if test.raised:
        return f"alarm: {test.why}"
    small = f"significant, but below the effect size {look.effect:g}"
    return small if test.certain else "no drift"


def _promise(look: DriftReport, name: str) -> tuple[str, str]:
    interval = look.promised.get(name)
    if interval is None:
        return format.DASH, ""
    return format.number(interval.value), format.interval(interval.low, interval.high)


def _when(look: DriftReport) -> str:
    return f"{datetime.fromtimestamp(look.time, UTC):%Y-%m-%d %H:%M} UTC"


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "below 0.001"


def _figures(look: DriftReport, earlier: Sequence[DriftReport]) -> dict[str, Figure]:
    figures = {"course": _course([*earlier, look])} if earlier else {}
    if look.shares:
        figures["shares"] = _shares(look)
    return figures


def _course(looks: Sequence[DriftReport]) -> Figure:
    """The greatest distance of any feature in each report; alarms stand out."""
    most = [
        max((each.distance for each in look.features if each.tested), default=0.0) for look in looks
    ]
    return {
        "data": [{
            "type": "scatter", "mode": "lines+markers", "name": "greatest KS distance",
            "x": [_when(look) for look in looks], "y": most,
            "text": [look.why for look in looks],
            "hovertemplate": "%{x}<br>%{y:.3f}<br>%{text}<extra></extra>",
            "line": {"color": "$quiet"},
            "marker": {"size": 10, "color": ["$bad" if k.alarm else "$good" for k in looks]},
        }],
        "layout": {
            "xaxis": {"type": "category", "showticklabels": len(looks) <= 8},
            "yaxis": {"title": {"text": "greatest KS distance"}, "rangemode": "tozero"},
            "showlegend": False,
        },
    }  # fmt: skip


def _shares(look: DriftReport) -> Figure:
    names = list(look.shares)
    values = zip(*look.shares.values(), strict=True)
    sides = zip(("reference", "new rows"), ("$quiet", "$accent"), values, strict=True)
    bars = [
        {"type": "bar", "name": name, "x": names, "y": list(values), "marker": {"color": colour}}
        for name, colour, values in sides
    ]
    return {
        "data": bars,
        "layout": {
            "xaxis": {"type": "category", "title": {"text": "predicted class"}},
            "yaxis": {"title": {"text": "share"}, "tickformat": ".0%"},
            "barmode": "group", "showlegend": True,
        },
    }  # fmt: skip
