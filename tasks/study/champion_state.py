"""The champion of a study, read from the steps in its journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.evaluate.evaluation import Interval
from tasks.study.reader import StudyRecord


@dataclass(frozen=True)
class CurrentChampion:
    """The version that holds the alias `champion`, its metrics, and the last decision."""

    model: str
    version: str
    run_id: str
    digest: str
    """Of its configuration, which may come from an earlier study of that model name."""
    trial: int | None
    """Its trial in this study; None when it comes from an earlier study."""
    objective: str
    validation: float
    """Its objective on the validation part."""
    test: dict[str, Interval]
    """Its metrics on the test part."""
    verdict: str
    """The last decision: `crown`, `keep`, `unchanged`, or `refused` by the gate."""
    why: str
    reasons: tuple[Mapping[str, Any], ...] = ()
    """The gate decision, one mapping per rule: `rule`, `passed`, `why`."""

    @classmethod
    def of(cls, record: StudyRecord) -> CurrentChampion | None:
        """The champion after the study's last run; None before there was one."""
        last = {event.step: event.facts for event in record.state.champion}
        if "crowned" not in last:
            return None
        facts, (verdict, why) = last["crowned"], last_verdict(last)
        same = (t.number for t in record.leaderboard() if t.trial.digest == facts["digest"])
        return cls(
            model=facts["model"],
            version=str(facts["version"]),
            run_id=facts["run_id"],
            digest=facts["digest"],
            trial=next(same, None),
            objective=facts["objective"],
            validation=facts["validation"],
            test={name: Interval.model_validate(given) for name, given in facts["test"].items()},
            verdict=verdict,
            why=why,
            reasons=_reasons(last.get("judged", {}), facts["digest"]),
        )


def _reasons(judged: Mapping[str, Any], digest: str) -> tuple[Mapping[str, Any], ...]:
    """The gate decision, if its last candidate is the champion."""
    return tuple(judged["reasons"]) if judged.get("digest") == digest else ()


def last_verdict(facts: Mapping[str, Mapping[str, Any]]) -> tuple[str, str]:
    """The last decision and its reason; both empty before the first.

    Args:
        facts: the last facts of each of the champion's steps.
    """
    decided, judged = facts.get("decided", {}), facts.get("judged", {})
    verdict, why = str(decided.get("verdict", "")), str(decided.get("why", ""))
    same = judged.get("digest") == decided.get("digest")
    if verdict == "crown" and same and judged.get("verdict") == "refused":
        failed = [reason["why"] for reason in judged["reasons"] if not reason["passed"]]
        return "refused", "; ".join(failed)
    return verdict, why
