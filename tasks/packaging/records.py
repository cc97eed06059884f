"""What the champion step hands from one of its parts to the next: frozen, as JSON on disk."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from conf.schema.study import TrialConfig
from tasks.evaluate.evaluation import Interval


class ChampionRecord(BaseModel):
    """Frozen and closed: what is written is what is read."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Candidate(ChampionRecord):
    """The configuration that won the search, and what it reached on the validation part."""

    study: str
    study_digest: str
    data: str
    """Data key: two values of one objective compare only where it is the same."""
    number: int
    digest: str
    config: TrialConfig
    value: float
    """The objective on the validation part."""
    epochs: int
    """Epochs after which the objective was best; the final training's length."""
    seed: int
    """Seed of the final training."""
    repeats: int = 1
    """Trainings that `value` is the mean of; more than one: re-tests on fresh seeds."""

    @property
    def objective(self) -> str:
        """Name of the metric that the search optimised."""
        return self.config.evaluate.objective


class EnsembleMember(ChampionRecord):
    """A trial that is part of an ensemble."""

    number: int
    digest: str
    config: TrialConfig
    folder: str
    """Of a training of it whose weights are there."""
    weight: float
    """Its share of the answer; those of all members sum to 1."""


class Latency(ChampionRecord):
    """Milliseconds of one call of the packed model, measured where it was scored."""

    p50: float
    p95: float


class FinalScore(ChampionRecord):
    """What the final model is worth on the test part; taken once and kept."""

    digest: str
    data: str
    seed: int
    epochs: int
    rows: int
    """Rows of the test part."""
    metrics: dict[str, Interval]
    recall: dict[str, float]
    """Class to the share of its rows that were recognised; empty where nothing is classified."""
    signatures: dict[str, str] = {}
    """Metric to what its value is to be quoted with."""
    package: str
    """SHA-256 of the exported program that gave these predictions."""
    size_mb: float
    """Megabytes of the model folder."""
    latency: dict[int, Latency]
    """Rows at once to the time they take."""
    invariance: float | None
    """Share of rows whose label stays when they are augmented; None without augmentation."""
    time: float
    """Seconds since the epoch at which the score was taken."""


class BehaviourResult(ChampionRecord):
    """What one set of directional cases came to."""

    what: str
    """In words, what `share` is the share of."""
    share: float
    least: float
    """That the gate asks for."""
    worst: str | None = None
    """The case that is furthest from what it should be, in words."""


class Incumbent(ChampionRecord):
    """The version under the alias `champion`, from its tags."""

    version: str
    run_id: str
    study: str
    digest: str
    data: str
    objective: str
    value: float
    """Its objective on the validation part."""
    test: dict[str, Interval]
    """Its metrics on the test part."""


class RetestEntry(ChampionRecord):
    """One configuration in the re-test; its tuples have an item a fresh seed, in one order."""

    number: int
    """Its trial in the search."""
    values: tuple[float, ...]
    """The objective on the validation part."""
    epochs: tuple[int, ...]
    """Epochs after which it was best."""
    parameters: int
    """Size of the model: what it costs to serve."""

    @property
    def mean(self) -> float:
        """Mean objective."""
        return sum(self.values) / len(self.values)


class Retest(ChampionRecord):
    """The re-test and what it came to."""

    entries: tuple[RetestEntry, ...]
    """As the search's model ranked them."""
    chosen: int
    """Trial that won."""
    reasons: tuple[Reason, ...]
    """For each other entry, why it did not win."""

    @property
    def winner(self) -> RetestEntry:
        """The entry that won."""
        return next(entry for entry in self.entries if entry.number == self.chosen)


class Reason(ChampionRecord):
    """One rule, whether it speaks for the candidate, and why, as a sentence."""

    rule: str
    passed: bool
    why: str


class Decision(ChampionRecord):
    """What becomes of a candidate.

    `crown`: it takes the alias. `keep`: the incumbent keeps it. `unchanged`: the candidate is the
    incumbent. `refused`: the gate keeps it out. The reasons are all the rules that were looked at,
    in order.
    """

    verdict: Literal["crown", "keep", "unchanged", "refused"]
    reasons: tuple[Reason, ...]

    @property
    def why(self) -> str:
        """The sentences of the rules that failed; of the last rule where none did."""
        failed = [reason.why for reason in self.reasons if not reason.passed]
        return "; ".join(failed or [self.reasons[-1].why])


class RegisteredVersion(ChampionRecord):
    """A version in the registry."""

    model: str
    version: str
    run_id: str


class ChampionResult(ChampionRecord):
    """What the champion step came to."""

    decision: Decision
    model: str
    """Name of the registered model."""
    version: str
    """Version under the alias `champion`."""
    run_id: str
    """Run that the version came from."""
    digest: str
    """Configuration of that version."""
    objective: str
    validation: float
    """Its objective on the validation part."""
    test: dict[str, Interval]
    """Its metrics on the test part."""
