"""Whether a candidate may challenge the champion: a pure function of records."""

from __future__ import annotations

from tasks.packaging.records import Candidate, Decision, Incumbent, Reason


def decide(
    candidate: Candidate, incumbent: Incumbent | None, *, withdrawn: str | None = None
) -> Decision:
    """Let a candidate through if it is new and better on the validation split.

    Args:
        candidate: the winner of the search.
        incumbent: the champion, if there is one.
        withdrawn: version of the candidate that a person rolled back, if any.

    Returns:
        `crown` (train, score and gate the candidate), `keep` or `unchanged`, with the reasons.
    """
    if withdrawn is not None and incumbent is not None:
        why = (
            f"version {withdrawn}, the same configuration, was rolled back by hand; restore it "
            "with `dense promote`"
        )
        return Decision(verdict="keep", reasons=(Reason(rule="withdrawn", passed=False, why=why),))
    if incumbent is None:
        first = Reason(rule="first", passed=True, why="there was no champion")
        return Decision(verdict="crown", reasons=(first,))
    new = _is_new(candidate, incumbent)
    if not new.passed:
        return Decision(verdict="unchanged", reasons=(new,))
    comparable = _is_comparable(candidate, incumbent)
    if not comparable.passed:
        return Decision(verdict="keep", reasons=(new, comparable))
    better = _is_better(candidate, incumbent)
    return Decision(verdict="crown" if better.passed else "keep", reasons=(new, comparable, better))


def _is_new(candidate: Candidate, incumbent: Incumbent) -> Reason:
    same = (candidate.digest, candidate.data) == (incumbent.digest, incumbent.data)
    why = (
        f"trial {candidate.number} already is the configuration of version {incumbent.version}"
        if same
        else f"trial {candidate.number} has another configuration than version {incumbent.version}"
    )
    return Reason(rule="new", passed=not same, why=why)


def _is_comparable(candidate: Candidate, incumbent: Incumbent) -> Reason:
    if candidate.objective != incumbent.objective:
        why = (
            f"version {incumbent.version} was chosen by {incumbent.objective}, the candidate by "
            f"{candidate.objective}; register the candidate under another name with champion.model"
        )
        return Reason(rule="comparable", passed=False, why=why)
    if candidate.data != incumbent.data:
        why = (
            f"version {incumbent.version} was measured on other data ({incumbent.data[:8]}, the "
            f"candidate on {candidate.data[:8]}); register the candidate under another name with "
            "champion.model"
        )
        return Reason(rule="comparable", passed=False, why=why)
    why = f"both were measured by {candidate.objective} on the same validation rows"
    return Reason(rule="comparable", passed=True, why=why)


def _is_better(candidate: Candidate, incumbent: Incumbent) -> Reason:
    maximize = candidate.config.evaluate.direction == "maximize"
    better = candidate.value > incumbent.value if maximize else candidate.value < incumbent.value
    why = (
        f"validation {candidate.objective} {candidate.value:.6g} is "
        f"{'better' if better else 'not better'} than {incumbent.value:.6g} of version "
        f"{incumbent.version}"
    )
    return Reason(rule="better", passed=better, why=why)
