"""The search on its own: ask, tell, and everything as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from conf.runtime.errors import BadInput
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
    StrategyName,
    Suggestion,
    Values,
)

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

FORMAT = 2


class Optimizer:
    """Proposes configurations and learns from what came of them.

    Trials are numbered from 0 in the order in which they were asked. What was asked and not told
    yet is pending, and known to the search. Nothing that was ever asked is asked again. Not safe
    for several threads.

    `space` maps a key to a range (`low`, `high`, `type`, `scale`, `step`) or to `choices`, each
    with an optional `when`. `constraints` are texts like `width * depth <= 512`. `start` is
    suggested first, as trial 0. `settings` are options of strategy `bayes`.
    """

    def __init__(
        self,
        space: Mapping[str, Any],
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
        self._asked: dict[int, dict[str, Any]] = {}
        self._told: dict[int, Observation] = {}
        self._reports: list[Observation] = []
        self._enqueued: list[dict[str, Any]] = []
        self._state: dict[str, Any] = {}
        self.exhausted = False

    @property
    def observations(self) -> tuple[Observation, ...]:
        """What was told, one a trial, sorted by number."""
        return tuple(self._told[number] for number in sorted(self._told))

    @property
    def pending(self) -> tuple[tuple[int, dict[str, Any]], ...]:
        """Number and values of what was asked and has not ended."""
        return tuple((n, v) for n, v in self._asked.items() if not self._ended(n))

    def _ended(self, number: int) -> bool:
        return number in self._told and self._told[number].rung is None

    def ask(self, count: int = 1) -> list[Suggestion]:
        """The next configurations to try; fewer, and `exhausted` set, when no more exist."""
        if count < 1:
            raise BadInput(f"ask({count}): ask for one configuration at least")
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
        for suggestion in proposal.suggestions:
            self._asked[suggestion.number] = suggestion.values
        return list(proposal.suggestions)

    def enqueue(self, values: Values) -> None:
        """A person's idea, asked next; settings left open come from `start`, else mid-range."""
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
        """What came of a trial: its objective, or that it failed and of what; `measures` are
        further objectives that `settings.also` names.

        An objective that is missing or not finite counts as a failure of cause `nan`. With `rung`
        the trial goes on and stays pending. BadInput for a number never asked, or told before.
        """
        if number not in self._asked:
            raise BadInput(f"tell({number}): no such trial was asked; the numbers come from ask")
        if self._ended(number):
            raise BadInput(f"tell({number}): that trial has been told; tell each one once")
        told = Observation(
            number,
            self._asked[number],
            _number(value),
            outcome,
            cause,
            seconds,
            rung,
            {name: float(given) for name, given in (measures or {}).items()},
        )
        if outcome != "failed" and not told.scored:
            told = Observation(number, told.values, None, "failed", "nan", seconds, rung)
        if told.rung is not None:
            self._reports.append(told)
        self._told[number] = told

    def to_json(self) -> str:
        """Everything, as one JSON text; `from_json` continues exactly where this stands."""
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
        """The optimizer that `to_json` wrote; BadInput when the text is none."""
        try:
            record = json.loads(text)
            known = record["format"] == FORMAT
        except (ValueError, KeyError, TypeError):
            raise BadInput("this is no optimizer's JSON; give what to_json returned") from None
        if not known:
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
        told = _observations(record["told"], record["asked"])
        optimizer._told = {observation.number: observation for observation in told}
        optimizer._enqueued = record["enqueued"]
        optimizer._state = record["state"]
        optimizer.exhausted = record["exhausted"]
        return optimizer

    def result(self) -> OptimizeResult:
        """What was found, as scikit-optimize's result; its plots read it."""
        from tasks.suggest.skopt_result import optimize_result

        return optimize_result(self._space, self.observations, self._direction, self._seed)


def _settings(record: Mapping[str, Any]) -> Settings:
    earlier = tuple(EarlierTrial(**one) for one in record["earlier"])
    also = tuple((name, direction) for name, direction in record["also"])
    skopt = SkoptOptions(**record.get("skopt", {}))  # absent before the strategy existed
    return Settings(**{**record, "earlier": earlier, "also": also, "skopt": skopt})


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def _as_json(observation: Observation) -> dict[str, Any]:
    return {key: item for key, item in asdict(observation).items() if key != "values"}


def _observations(
    entries: Sequence[Mapping[str, Any]], asked: Sequence[Values]
) -> list[Observation]:
    return [Observation(values=asked[entry["number"]], **entry) for entry in entries]
