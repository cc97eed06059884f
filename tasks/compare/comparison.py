"""Compare two studies, trials or champions: settings, metrics and a paired test on equal rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import comb
from typing import Any

from conf.runtime.errors import BadInput, DenseError
from conf.schema.evaluate import direction_of
from tasks.compare.side import ComparisonSide, flat
from tasks.evaluate.evaluation import Interval
from tasks.evaluate.paired import paired_difference, same_rows
from tasks.evaluate.predictions import AnyPredictions, Predictions, read, select_predictions
from tasks.report.format import number

ABSENT = "–"


@dataclass(frozen=True)
class MetricComparison:
    """One metric on both sides."""

    name: str
    a: Interval | None
    b: Interval | None
    difference: Interval | None
    """B less A with its 95 % interval over paired resamples; None where they cannot be paired."""

    @property
    def better(self) -> str:
        """`A` or `B` where the difference is beyond chance; empty where it is not, or unknown."""
        if self.difference is None or self.difference.low <= 0 <= self.difference.high:
            return ""
        falls = direction_of(self.name) == "minimize"
        return "B" if (self.difference.value > 0) != falls else "A"


@dataclass(frozen=True)
class Disagreement:
    """Rows that only one side predicts correctly: McNemar's test, doi:10.1007/BF02295996."""

    rows: int
    both_right: int
    only_a: int
    only_b: int

    @property
    def p(self) -> float:
        """Exact two-sided p-value of the hypothesis that both sides are equally accurate."""
        n, least = self.only_a + self.only_b, min(self.only_a, self.only_b)
        tail = sum(comb(n, k) for k in range(least + 1))
        return min(1.0, 2 * tail / 2**n)


@dataclass(frozen=True)
class Comparison:
    """What two sides have and have not in common."""

    a: ComparisonSide
    b: ComparisonSide
    objective: str
    scores: tuple[MetricComparison, ...]
    """The objective first."""
    settings: tuple[tuple[str, Any, Any], ...]
    """Key and value on either side, of what differs: of two studies, else of two configurations;
    `–` where a side has no such setting."""
    best: tuple[tuple[str, Any, Any], ...]
    """Of two studies: the settings in which their best trials differ."""
    rows: Disagreement | None
    unpaired: str
    """Why the predictions cannot be paired row by row; empty where they are."""

    @property
    def headline(self) -> str:
        """The comparison in a sentence."""
        score = self.scores[0]
        name = score.name.replace("_", " ")
        if score.a is None or score.b is None:
            return f"No {name} on both sides"
        if score.difference is None:
            return f"{name} {number(score.a.value)} against {number(score.b.value)}"
        if not score.better:
            return f"No difference in {name} beyond chance"
        ahead = self.a if score.better == "A" else self.b
        return f"{ahead.name} is better: {name} by {number(abs(score.difference.value))}"


def compare(a: ComparisonSide, b: ComparisonSide) -> Comparison:
    """Compare two sides.

    Raises:
        BadInput: one was measured on the validation part and the other on the test part, or they
            have no metric in common.
    """
    if a.part != b.part:
        raise BadInput(
            f"{a.name} was measured on the {a.part} part and {b.name} on the {b.part} part; "
            "compare two studies or trials, or two champions"
        )
    objective = a.config.evaluate.objective
    names = list(dict.fromkeys([objective, *a.metrics, *b.metrics]))
    common = [name for name in names if name in a.metrics and name in b.metrics]
    if not common:
        raise BadInput(
            f"{a.name} has {', '.join(a.metrics) or 'no metrics'}, {b.name} has "
            f"{', '.join(b.metrics) or 'none'}; nothing is measured on both sides"
        )
    pair, unpaired = _pair(a, b)
    scores = [
        _score(name, a, b, pair) for name in [*common, *(n for n in names if n not in common)]
    ]
    whole = a.whole and b.whole
    configs = differing(flat(a.config), flat(b.config))
    return Comparison(
        a=a,
        b=b,
        objective=objective,
        scores=tuple(scores),
        settings=differing(a.settings, b.settings) if whole else configs,
        best=configs if whole else (),
        rows=_disagreement(*pair) if pair else None,
        unpaired=unpaired,
    )


def differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[tuple[str, Any, Any], ...]:
    """Keys whose values differ, in the order of the first side, with both values."""
    keys = dict.fromkeys([*a, *b])
    found = ((key, a.get(key, ABSENT), b.get(key, ABSENT)) for key in keys)
    return tuple(each for each in found if each[1] != each[2])


def _score(
    name: str,
    a: ComparisonSide,
    b: ComparisonSide,
    pair: tuple[AnyPredictions, AnyPredictions] | None,
) -> MetricComparison:
    known = name in a.metrics and name in b.metrics
    difference = None
    if pair and known:
        metric, answers = select_predictions(name, *pair)
        difference = paired_difference(metric, *answers, sign=-1.0, evaluate=a.config.evaluate)
    return MetricComparison(name, a.metrics.get(name), b.metrics.get(name), difference)


def _pair(
    a: ComparisonSide, b: ComparisonSide
) -> tuple[tuple[AnyPredictions, AnyPredictions] | None, str]:
    """Both predictions where they are of the same rows; else why not."""
    try:
        first, second = read(a.predictions), read(b.predictions)
    except (OSError, DenseError):
        return None, "the predictions of one side are gone"
    if not same_rows(first, second):
        return None, f"the {a.part} parts of the two sides hold different rows"
    return (first, second), ""


def _disagreement(a: AnyPredictions, b: AnyPredictions) -> Disagreement | None:
    if not (isinstance(a, Predictions) and isinstance(b, Predictions)):
        return None  # numbers and texts are not right or wrong
    first, second = a.predictions == a.targets, b.predictions == b.targets
    return Disagreement(
        rows=len(first),
        both_right=int((first & second).sum()),
        only_a=int((first & ~second).sum()),
        only_b=int((second & ~first).sum()),
    )
