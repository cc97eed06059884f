"""One suggestion step as a pure function: `propose`.

A proposal depends on its arguments and on nothing else: no clock, no global generator, no memory,
no order of results. Called again with the same arguments, in another process, it gives the same
suggestions and the same state (same machine and library versions, one linear-algebra thread).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from conf.runtime.errors import BadInput
from tasks.suggest.problem import Choice, Picked, Problem, in_order, reports_of
from tasks.suggest.space.space import space_of
from tasks.suggest.types import (
    Direction,
    Observation,
    Origin,
    Proposal,
    Settings,
    Strategy,
    Suggestion,
    Values,
)

STRATEGIES: dict[str, tuple[str, str]] = {
    "bayes": ("bayes", "choose"),
    "random": ("model_free", "choose_random"),
    "sobol": ("model_free", "choose_sobol"),
    "grid": ("model_free", "choose_grid"),
    "evolution": ("evolution", "choose"),
    "forest": ("forest", "choose"),
    "tpe": ("tpe", "choose"),
    "skopt": ("scikit_optimize", "choose"),
}
"""Strategy to its module in `tasks.suggest.strategies` and its function there."""

_PLAIN = Settings()
Chooser = Callable[[Problem, int, int, set[str]], Choice]
"""(problem, number of the first, how many, keys tried: added to) -> what was chosen"""


def propose(
    space: Mapping[str, Any],
    *,
    constraints: Sequence[str] = (),
    direction: Direction = "minimize",
    strategy: Strategy = "bayes",
    seed: int = 0,
    first: int,
    count: int,
    observations: Sequence[Observation] = (),
    pending: Sequence[tuple[int, Values]] = (),
    start: Values | None = None,
    enqueued: Sequence[Values] = (),
    state: Mapping[str, Any] | None = None,
    settings: Settings = _PLAIN,
) -> Proposal:
    """The next `count` configurations to try, numbered from `first`.

    `start` is trial 0's values: it is suggested first when `first` is 0, and fills the settings
    that an enqueued configuration leaves open. `enqueued` are a person's ideas that were not asked
    yet, oldest first; they go next. `state` is that of the previous proposal. `settings` are
    options of strategy `bayes`. Fewer suggestions
    come back when the space is exhausted; of an empty one trial 0 comes back and nothing after it.
    BadInput for an unsound space or enqueued values.
    """
    if not space:  # nothing is searched: there is trial 0 alone
        alone = () if first or start is None else (Suggestion(0, {}, "default"),)
        return Proposal(alone[:count], {}, len(alone) < count, tuple(enqueued))
    problem = Problem(
        space=space_of(space, constraints),
        direction=direction,
        seed=seed,
        first=first,
        observations=in_order(observations),
        reports=reports_of(observations),
        pending=tuple(sorted(pending, key=lambda trial: trial[0])),
        start=start,
        state=dict(state or {}),
        settings=settings,
    )
    tried = problem.tried()
    given, dropped = _given(problem, enqueued, tried, count)
    choice = _chooser(strategy)(problem, first + len(given), count - len(given), tried)
    suggestions = tuple(
        Suggestion(first + index, values, origin)
        for index, (values, origin) in enumerate(given + choice.picked)
    )
    return Proposal(
        suggestions, choice.state, len(suggestions) < count, tuple(dropped), choice.forecast
    )


def _given(
    problem: Problem, enqueued: Sequence[Values], tried: set[str], count: int
) -> tuple[Picked, list[Values]]:
    """What nobody needs to choose: trial 0 and a person's ideas, each once."""
    given: Picked = []
    dropped: list[Values] = []
    ideas: list[tuple[Values, Origin]] = [(values, "enqueued") for values in enqueued]
    if problem.first == 0 and problem.start is not None:
        ideas.insert(0, (problem.start, "default"))
    for values, origin in ideas:
        if len(given) == count:
            break
        whole = problem.space.complete(values, problem.start)
        if (key := problem.space.key(whole)) in tried:
            dropped.append(values)
            continue
        tried.add(key)
        given.append((whole, origin))
    return given, dropped


def _chooser(strategy: Strategy) -> Chooser:
    """The strategy's function; its libraries load when it is asked for."""
    if strategy not in STRATEGIES:
        names = ", ".join(STRATEGIES)
        raise BadInput(f"search.strategy: {strategy!r} is unknown; choose one of {names}")
    module, name = STRATEGIES[strategy]
    chooser: Chooser = getattr(import_module(f"tasks.suggest.strategies.{module}"), name)
    return chooser
