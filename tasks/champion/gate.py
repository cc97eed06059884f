"""The gate: rules that a final model passes before the alias moves; a pure function."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from conf.schema.champion import Gate
from conf.schema.evaluate import MINIMIZED
from tasks.evaluate.evaluation import Interval
from tasks.packaging.records import BehaviourResult, Decision, FinalScore, Reason


def judge(
    gate: Gate,
    score: FinalScore,
    *,
    metrics: Mapping[str, float],
    against: tuple[str, Interval] | None,
    behaved: Sequence[BehaviourResult] = (),
) -> Decision:
    """Verdict and a reason a rule.

    Args:
        gate: the rules.
        score: of the final model on the test part.
        metrics: value of every metric that `gate.minimum` names.
        against: version of the champion, and how much better than it the candidate is (the
            difference of the objective, paired by row, more is better); None: nothing to compare.
        behaved: what the gate's directional cases came to.
    """
    reasons = (*_reasons(gate, score, metrics, against), *map(_behaviour, behaved))
    passed = all(reason.passed for reason in reasons)
    return Decision(verdict="crown" if passed else "refused", reasons=reasons or (_OPEN,))


_OPEN = Reason(rule="gate", passed=True, why="champion.gate asks nothing")


def _reasons(
    gate: Gate,
    score: FinalScore,
    metrics: Mapping[str, float],
    against: tuple[str, Interval] | None,
) -> Iterator[Reason]:
    for name, bound in gate.minimum.items():
        if name in metrics:
            yield _bounded(name, metrics[name], bound, most=name in MINIMIZED)
        else:
            yield Reason(
                rule="minimum", passed=False, why=f"{name} is not defined on the test rows"
            )
    if gate.class_recall is not None and not score.recall:
        why = "champion.gate.class_recall is for classes, and this study has none; leave it out"
        yield Reason(rule="class_recall", passed=False, why=why)
    elif gate.class_recall is not None:
        worst = min(score.recall, key=lambda name: score.recall[name])
        what = f"recall of class {worst}"
        yield _bounded(what, score.recall[worst], gate.class_recall, rule="class_recall")
    if gate.no_loss and against is not None:
        yield _no_loss(*against)
    if gate.invariance is not None:
        yield _invariance(score.invariance, gate.invariance)
    if gate.latency_ms is not None:
        p95 = score.latency[1].p95
        yield _bounded("milliseconds for one row", p95, gate.latency_ms, most=True, rule="latency")
    if gate.size_mb is not None:
        yield _bounded("megabytes", score.size_mb, gate.size_mb, most=True, rule="size")


def _bounded(
    what: str, value: float, bound: float, *, most: bool = False, rule: str = "minimum"
) -> Reason:
    passed = value <= bound if most else value >= bound
    side = ("at most" if most else "at least") if passed else ("above" if most else "below")
    why = f"{what} is {value:.4g}, {side} {bound:g}"
    return Reason(rule=rule, passed=passed, why=why)


def _invariance(share: float | None, least: float) -> Reason:
    if share is None:
        why = "the study augments nothing, so no row's label could change"
        return Reason(rule="invariance", passed=True, why=why)
    what = "share of labels that stay under the study's augmentations"
    return _bounded(what, share, least, rule="invariance")


def _behaviour(found: BehaviourResult) -> Reason:
    reason = _bounded(found.what, found.share, found.least, rule="behaviour")
    if reason.passed or not found.worst:
        return reason
    return reason.model_copy(update={"why": f"{reason.why} (worst: {found.worst})"})


def _no_loss(version: str, gain: Interval) -> Reason:
    worse = gain.high < 0
    why = (
        f"{'significantly worse' if worse else 'not significantly worse'} than version {version} "
        f"on the same test rows ({gain.value:+.4g}, 95 % between {gain.low:+.4g} and "
        f"{gain.high:+.4g})"
    )
    return Reason(rule="no_loss", passed=not worse, why=why)
