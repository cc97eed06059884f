"""One suggestion step as a pure function: `propose`.

A proposal depends on its arguments and on nothing else: no clock, no global generator, no memory,
no order of results. Called again with the same arguments, in another process, it gives the same
suggestions and the same state (same machine and library versions, one linear-algebra thread).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from conf.runtime.errors import BadInput
from tasks.suggest.problem import Choice, Picked, Problem, in_order, reports_of
from tasks.suggest.space.initial_design import grid_rows, sobol, untried
from tasks.suggest.space.space import space_of
from tasks.suggest.strategies import evolution
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
    if strategy == "bayes":
        from tasks.suggest.strategies.bayes import choose  # scipy's optimisers load with it

        return choose
    if strategy == "forest":
        from tasks.suggest.strategies import forest  # scikit-learn loads with its first fit

        return forest.choose
    if strategy == "tpe":
        from tasks.suggest.strategies import tpe  # an extra

        return tpe.choose
    choosers: dict[str, Chooser] = {
        "random": _random,
        "sobol": _sobol,
        "grid": _grid,
        "evolution": evolution.choose,
    }
    if strategy not in choosers:
        names = ", ".join(["bayes", *choosers, "forest", "tpe"])
        raise BadInput(f"search.strategy: {strategy!r} is unknown; choose one of {names}")
    return choosers[strategy]


def _random(problem: Problem, number: int, count: int, tried: set[str]) -> Choice:
    generator = problem.generator
    picked: Picked = []
    while len(picked) < count:
        values = untried(problem.space, tried, generator)
        if values is None:
            break
        tried.add(problem.space.key(values))
        picked.append((values, "random"))
    return Choice(picked, {})


def _sobol(problem: Problem, number: int, count: int, tried: set[str]) -> Choice:
    """The study's Sobol sequence, a point a number; where that was tried, a random one."""
    picked: Picked = []
    generator = problem.generator
    for number in range(number, number + count):  # noqa: B020
        values = problem.space.decode(sobol(problem.space, number, problem.seed)[0])
        origin: Origin = "sobol"
        if problem.space.key(values) in tried or not problem.space.allowed(values):
            other = untried(problem.space, tried, generator)
            if other is None:
                break
            values, origin = other, "random"
        tried.add(problem.space.key(values))
        picked.append((values, origin))
    return Choice(picked, {})


def _grid(problem: Problem, number: int, count: int, tried: set[str]) -> Choice:
    """The grid from where the last batch left it."""
    cursor = int(problem.state.get("cursor", 0))
    picked: Picked = []
    if count > 0:
        for cursor, values in grid_rows(problem.space, problem.seed, cursor):  # noqa: B007, B020
            if (key := problem.space.key(values)) not in tried and problem.space.allowed(values):
                tried.add(key)
                picked.append((values, "grid"))
                if len(picked) == count:
                    break
    return Choice(picked, {"cursor": cursor})
