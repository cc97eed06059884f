"""The gate: rules that a final model must pass before it is promoted; a pure function."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from conf.schema.champion import Gate
from conf.schema.evaluate import MINIMIZED
from tasks.evaluate.evaluation import Interval
from tasks.packaging.records import BehaviourResult, Decision, FinalScore, Reason


def apply_gate(
    gate: Gate,
    score: FinalScore,
    *,
    metrics: Mapping[str, float],
    gain: tuple[str, Interval] | None,
    behaviour: Sequence[BehaviourResult] = (),
) -> Decision:
    """Decide whether a final model is promoted.

    Args:
        gate: the rules.
        score: of the final model on the test split.
        metrics: value of every metric that `gate.minimum` names.
        gain: version of the champion, and the candidate's improvement over it (the difference of
            the objective, paired by row; positive is better). None: nothing to compare with.
        behaviour: results of the gate's behavioural tests.

    Returns:
        Verdict `crown` or `refused`, with one reason per rule.
    """
    reasons = (*_reasons(gate, score, metrics, gain), *map(_behaviour, behaviour))
    passed = all(reason.passed for reason in reasons)
    return Decision(verdict="crown" if passed else "refused", reasons=reasons or (_NO_RULES,))


_NO_RULES = Reason(rule="gate", passed=True, why="champion.gate has no rules")


def _reasons(
    gate: Gate,
    score: FinalScore,
    metrics: Mapping[str, float],
    gain: tuple[str, Interval] | None,
) -> Iterator[Reason]:
    for name, bound in gate.minimum.items():
        if name in metrics:
            yield _bounded(name, metrics[name], bound, most=name in MINIMIZED)
        else:
            yield Reason(
                rule="minimum", passed=False, why=f"{name} is not defined on the test rows"
            )
    if gate.class_recall is not None and not score.recall:
        why = "champion.gate.class_recall needs classes, and this study has none; remove it"
        yield Reason(rule="class_recall", passed=False, why=why)
    elif gate.class_recall is not None:
        worst = min(score.recall, key=lambda name: score.recall[name])
        what = f"recall of class {worst}"
        yield _bounded(what, score.recall[worst], gate.class_recall, rule="class_recall")
    if gate.no_loss and gain is not None:
        yield _no_loss(*gain)
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
        why = "the study has no augmentation, so no row's label could change"
        return Reason(rule="invariance", passed=True, why=why)
    what = "share of labels unchanged by the study's augmentations"
    return _bounded(what, share, least, rule="invariance")


def _behaviour(result: BehaviourResult) -> Reason:
    reason = _bounded(result.what, result.share, result.least, rule="behaviour")
    if reason.passed or not result.worst:
        return reason
    return reason.model_copy(update={"why": f"{reason.why} (worst: {result.worst})"})


def _no_loss(version: str, gain: Interval) -> Reason:
    worse = gain.high < 0
    why = (
        f"{'significantly worse' if worse else 'not significantly worse'} than version {version} "
        f"on the same test rows ({gain.value:+.4g}, 95 % interval {gain.low:+.4g} to "
        f"{gain.high:+.4g})"
    )
    return Reason(rule="no_loss", passed=not worse, why=why)
