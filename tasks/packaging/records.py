"""Records that the parts of the champion step exchange: frozen, JSON on disk."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from conf.schema.study import TrialConfig
from tasks.evaluate.evaluation import Interval


class ChampionRecord(BaseModel):
    """Base class: frozen, and closed to unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Candidate(ChampionRecord):
    """The configuration that won the search, with its objective on the validation split."""

    study: str
    study_digest: str
    data: str
    """Data key: values of an objective are comparable only if it is the same."""
    number: int
    digest: str
    config: TrialConfig
    value: float
    """The objective on the validation split."""
    epochs: int
    """Epochs after which the objective was best: the length of the final training."""
    seed: int
    """Seed of the final training."""
    repeats: int = 1
    """Number of trainings that `value` is the mean of; above 1 after a re-test on fresh seeds."""

    @property
    def objective(self) -> str:
        """Name of the metric that the search optimized."""
        return self.config.evaluate.objective


class EnsembleMember(ChampionRecord):
    """A trial that is part of an ensemble."""

    number: int
    digest: str
    config: TrialConfig
    folder: str
    """Of a training that has its weights."""
    weight: float
    """Its share of the mean; the weights of all members sum to 1."""


class Latency(ChampionRecord):
    """Milliseconds per call of the packed model, on the machine that scored it."""

    p50: float
    p95: float


class FinalScore(ChampionRecord):
    """The score of the final model on the test split; measured once and kept."""

    digest: str
    data: str
    seed: int
    epochs: int
    rows: int
    """Rows of the test split."""
    metrics: dict[str, Interval]
    recall: dict[str, float]
    """Recall by class; empty if the task is not classification."""
    signatures: dict[str, str] = {}
    """Signature to quote with a metric, by its name (sacreBLEU)."""
    package: str
    """SHA-256 of the exported program that made the predictions."""
    size_mb: float
    """Megabytes of the model folder."""
    latency: dict[int, Latency]
    """Latency by rows per call."""
    invariance: float | None
    """Share of rows whose label is unchanged by augmentation; None without augmentation."""
    time: float
    """Of the scoring, in seconds since the Unix epoch."""


class BehaviourResult(ChampionRecord):
    """The result of one set of behavioural tests."""

    what: str
    """Describes what `share` is the share of."""
    share: float
    least: float
    """The smallest share that the gate accepts."""
    worst: str | None = None
    """Describes the worst case."""


class Incumbent(ChampionRecord):
    """The version under the alias `champion`, read from its tags."""

    version: str
    run_id: str
    study: str
    digest: str
    data: str
    objective: str
    value: float
    """Its objective on the validation split."""
    test: dict[str, Interval]
    """Its metrics on the test split."""


class RetestEntry(ChampionRecord):
    """One configuration in the re-test; its tuples have one item per fresh seed, in one order."""

    number: int
    """Its trial in the search."""
    values: tuple[float, ...]
    """The objective on the validation split."""
    epochs: tuple[int, ...]
    """Epochs after which it was best."""
    parameters: int
    """Number of parameters: the cost of serving it."""

    @property
    def mean(self) -> float:
        """Mean objective."""
        return sum(self.values) / len(self.values)


class Retest(ChampionRecord):
    """The re-test and its winner."""

    entries: tuple[RetestEntry, ...]
    """In the order of the surrogate's ranking."""
    chosen: int
    """Number of the trial that won."""
    reasons: tuple[Reason, ...]
    """Why each other entry did not win."""

    @property
    def winner(self) -> RetestEntry:
        """The entry that won."""
        return next(entry for entry in self.entries if entry.number == self.chosen)


class Reason(ChampionRecord):
    """One rule, whether the candidate passes it, and the reason as a sentence."""

    rule: str
    passed: bool
    why: str


class Decision(ChampionRecord):
    """The decision about a candidate.

    `crown`: it is promoted to champion. `keep`: the incumbent stays. `unchanged`: the candidate is
    the incumbent. `refused`: it fails the gate. The reasons are those of all rules that were
    checked, in order.
    """

    verdict: Literal["crown", "keep", "unchanged", "refused"]
    reasons: tuple[Reason, ...]

    @property
    def why(self) -> str:
        """The sentences of the failed rules; of the last rule if none failed."""
        failed = [reason.why for reason in self.reasons if not reason.passed]
        return "; ".join(failed or [self.reasons[-1].why])


class RegisteredVersion(ChampionRecord):
    """A version in the model registry."""

    model: str
    version: str
    run_id: str


class ChampionResult(ChampionRecord):
    """The result of the champion step."""

    decision: Decision
    model: str
    """Name of the registered model."""
    version: str
    """Version under the alias `champion`."""
    run_id: str
    """MLflow run of the version."""
    digest: str
    """Digest of the version's configuration."""
    objective: str
    validation: float
    """Its objective on the validation split."""
    test: dict[str, Interval]
    """Its metrics on the test split."""
