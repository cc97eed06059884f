"""The champion as the study's journal tells it."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.evaluate.evaluation import Interval
from tasks.study.record import StudyRecord


@dataclass(frozen=True)
class Winner:
    """The version that holds the alias, what it is worth, and why it holds it."""

    model: str
    version: str
    run_id: str
    digest: str
    """Of its configuration, which may come from an earlier study of that model name."""
    trial: int | None
    """Its trial in this study; None when it is not from this study."""
    objective: str
    validation: float
    """Its objective on the validation part."""
    test: dict[str, Interval]
    """Its metrics on the test part."""
    verdict: str
    """What was decided last: `crown`, `keep` or `unchanged`."""
    why: str

    @classmethod
    def of(cls, record: StudyRecord) -> Winner | None:
        """The champion after the study's last run; None before there was one."""
        last = {event.step: event.facts for event in record.state.champion}
        if "crowned" not in last:
            return None
        facts, decided = last["crowned"], last.get("decided", {})
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
            verdict=decided.get("verdict", ""),
            why=decided.get("why", ""),
        )
