"""The search used alone: `Optimizer` with ask, tell and its record as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from conf.runtime.errors import BadInput
from conf.schema.search import Scalar
from tasks.suggest.problem import Problem
from tasks.suggest.propose import propose
from tasks.suggest.space.space import Space
from tasks.suggest.types import (
    Direction,
    EarlierTrial,
    Observation,
    Outcome,
    Settings,
    SkoptOptions,
    SpaceDescription,
    StrategyName,
    StrategyState,
    Suggestion,
    Values,
)

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

FORMAT = 2


class Optimizer:
    """Suggests configurations and learns from their results (ask and tell).

    Trials are numbered from 0 in the order of suggestion. Those without a result are pending
    points, which the search takes into account. No configuration is suggested twice. Not
    thread-safe.

    Args:
        space: Key to a range (`low`, `high`, `type`, `scale`, `step`) or to `choices`, each with an
            optional condition `when`.
        direction: Whether the objective is minimized or maximized.
        strategy: A name in `tasks.suggest.propose.STRATEGIES`.
        seed: Suggestions are a function of the seed and the results.
        start: Suggested first, as trial 0.
        constraints: Texts like `width * depth <= 512`.
        settings: Options of the strategy, and further objectives.

    Raises:
        BadInput: The space, `start` or a constraint is not valid.
    """

    def __init__(
        self,
        space: SpaceDescription,
        *,
        direction: Direction = "minimize",
        strategy: StrategyName = "bayes",
        seed: int = 0,
        start: Values | None = None,
        constraints: Sequence[str] = (),
        settings: Settings | None = None,
    ) -> None:
        self._space = Space(space, constraints)
        self._start = None if start is None else self._space.complete(start, None)
        self._direction: Direction = direction
        self._strategy: StrategyName = strategy
        self._seed = seed
        self._settings = settings or Settings()
        self._asked: dict[int, dict[str, Scalar]] = {}
        self._results: dict[int, Observation] = {}
        self._reports: list[Observation] = []
        self._enqueued: list[dict[str, Scalar]] = []
        self._state: StrategyState = {}
        self.exhausted = False
        """Whether the last `ask` found no further configuration."""
        self.warning: str | None = None
        """Why the last `ask` could not choose as the strategy is meant to."""

    @property
    def observations(self) -> tuple[Observation, ...]:
        """The latest result of each trial, sorted by number."""
        return tuple(self._results[number] for number in sorted(self._results))

    @property
    def pending(self) -> tuple[tuple[int, dict[str, Scalar]], ...]:
        """Number and values of the trials that have not ended."""
        return tuple((n, v) for n, v in self._asked.items() if not self._ended(n))

    def _ended(self, number: int) -> bool:
        return number in self._results and self._results[number].rung is None

    def ask(self, count: int = 1) -> list[Suggestion]:
        """The next `count` configurations to try.

        In an exhausted space they are fewer, and `exhausted` is true.
        """
        if count < 1:
            raise BadInput(f"ask({count}): ask for at least one configuration")
        problem = Problem.of(
            self._space.description,
            first=len(self._asked),
            constraints=[constraint.text for constraint in self._space.constraints],
            direction=self._direction,
            seed=self._seed,
            observations=(*self._reports, *self.observations),
            pending=self.pending,
            start=self._start,
            state=self._state,
            settings=self._settings,
        )
        proposal = propose(problem, count, strategy=self._strategy, enqueued=self._enqueued)
        given = sum(suggestion.origin == "enqueued" for suggestion in proposal.suggestions)
        self._enqueued = self._enqueued[given + len(proposal.dropped) :]
        self._state, self.exhausted = proposal.state, proposal.exhausted
        self.warning = proposal.warning
        for suggestion in proposal.suggestions:
            self._asked[suggestion.number] = suggestion.values
        return list(proposal.suggestions)

    def enqueue(self, values: Values) -> None:
        """Suggest a configuration next.

        Settings that it lacks are taken from `start`, else from the middle of their range.

        Raises:
            BadInput: A value is not of the space, or a constraint is violated.
        """
        self._space.complete(values, self._start)
        self._enqueued.append(dict(values))

    def tell(
        self,
        number: int,
        value: float | None = None,
        *,
        outcome: Outcome = "complete",
        cause: str | None = None,
        rung: int | None = None,
        seconds: float | None = None,
        measures: Mapping[str, float] | None = None,
    ) -> None:
        """Add the result of a trial.

        Args:
            number: That of its suggestion.
            value: The objective; missing or not finite, the trial has failed with cause `nan`.
            outcome: How the trial ended.
            cause: Cause of a failure.
            rung: Epochs after which `value` was taken, if the trial goes on: it stays pending.
            seconds: Training time.
            measures: The further objectives named in `settings.also`.

        Raises:
            BadInput: The number was not suggested, or the trial has ended before.
        """
        if number not in self._asked:
            raise BadInput(f"tell({number}): there is no such trial; use a suggestion's number")
        if self._ended(number):
            raise BadInput(f"tell({number}): that trial has ended already; tell each one once")
        observation = Observation(
            number,
            self._asked[number],
            _number(value),
            outcome,
            cause,
            seconds,
            rung,
            {name: float(given) for name, given in (measures or {}).items()},
        )
        if outcome != "failed" and not observation.scored:
            observation = Observation(
                number, observation.values, None, "failed", "nan", seconds, rung
            )
        if observation.rung is not None:
            self._reports.append(observation)
        self._results[number] = observation

    def to_json(self) -> str:
        """The whole search as JSON text, from which `from_json` continues it."""
        return json.dumps(
            {
                "format": FORMAT,
                "space": self._space.description,
                "constraints": [constraint.text for constraint in self._space.constraints],
                "direction": self._direction,
                "strategy": self._strategy,
                "seed": self._seed,
                "settings": asdict(self._settings),
                "start": self._start,
                "asked": list(self._asked.values()),
                "reports": [_as_json(observation) for observation in self._reports],
                "told": [_as_json(observation) for observation in self.observations],
                "enqueued": self._enqueued,
                "state": self._state,
                "exhausted": self.exhausted,
            },
            allow_nan=False,
        )

    @classmethod
    def from_json(cls, text: str) -> Optimizer:
        """The optimizer of a text that `to_json` wrote.

        Raises:
            BadInput: The text is not JSON of an optimizer, or of another format.
        """
        try:
            record = json.loads(text)
            readable = record["format"] == FORMAT
        except (ValueError, KeyError, TypeError):
            raise BadInput(
                "this is not the JSON of an optimizer; pass the text that to_json returned"
            ) from None
        if not readable:
            raise BadInput(f"format {record['format']!r} is unknown; this version reads {FORMAT}")
        optimizer = cls(
            record["space"],
            direction=record["direction"],
            strategy=record["strategy"],
            seed=record["seed"],
            constraints=record["constraints"],
            settings=_settings(record["settings"]),
        )
        optimizer._start = record["start"]
        optimizer._asked = dict(enumerate(record["asked"]))
        optimizer._reports = _observations(record["reports"], record["asked"])
        observations = _observations(record["told"], record["asked"])
        optimizer._results = {observation.number: observation for observation in observations}
        optimizer._enqueued = record["enqueued"]
        optimizer._state = record["state"]
        optimizer.exhausted = record["exhausted"]
        return optimizer

    def result(self) -> OptimizeResult:
        """The results as scikit-optimize's `OptimizeResult`, for its plots."""
        from tasks.suggest.skopt_result import optimize_result

        return optimize_result(self._space, self.observations, self._direction, self._seed)


def _settings(record: Mapping[str, Any]) -> Settings:
    earlier = tuple(EarlierTrial(**one) for one in record["earlier"])
    also = tuple((name, direction) for name, direction in record["also"])
    skopt = SkoptOptions(**record.get("skopt", {}))  # absent before the strategy existed
    return Settings(**{**record, "earlier": earlier, "also": also, "skopt": skopt})


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def _as_json(observation: Observation) -> dict[str, object]:
    return {key: item for key, item in asdict(observation).items() if key != "values"}


def _observations(
    entries: Sequence[Mapping[str, Any]], asked: Sequence[Values]
) -> list[Observation]:
    return [Observation(values=asked[entry["number"]], **entry) for entry in entries]
