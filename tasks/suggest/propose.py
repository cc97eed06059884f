"""One suggestion step as a pure function: `propose`.

A proposal depends on its arguments alone: no clock, no global generator, no memory,
no order of results. Called again with the same arguments, in another process, it gives the same
suggestions and the same state (same machine and library versions, one linear-algebra thread).
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from conf.runtime.errors import BadInput
from tasks.suggest.problem import Picked, Problem, Strategy
from tasks.suggest.types import Origin, Proposal, StrategyName, Suggestion, Values

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


def propose(
    problem: Problem,
    count: int,
    *,
    strategy: StrategyName = "bayes",
    enqueued: Sequence[Values] = (),
) -> Proposal:
    """The next `count` configurations to try, numbered from `problem.first`.

    Trial 0 comes first, then what a person enqueued, then what the strategy chooses.

    Args:
        problem: The space and all that is recorded, see `Problem.of`.
        count: Suggestions wanted; an exhausted space gives fewer. An empty space gives trial 0.
        strategy: The strategy's name.
        enqueued: A person's configurations that were not asked yet, oldest first.

    Raises:
        BadInput: The strategy is unknown, or enqueued values are not of the space.
    """
    if not len(problem.space):
        return _of_an_empty_space(problem, count, enqueued)
    tried = problem.tried()
    given, dropped = _given(problem, enqueued, tried, count)
    number = problem.first + len(given)
    choice = strategy_of(strategy)(problem, number, count - len(given), tried)
    suggestions = tuple(
        Suggestion(problem.first + index, values, origin)
        for index, (values, origin) in enumerate(given + choice.picked)
    )
    return Proposal(
        suggestions,
        choice.state,
        len(suggestions) < count,
        tuple(dropped),
        choice.forecast,
        choice.warning,
    )


def _of_an_empty_space(problem: Problem, count: int, enqueued: Sequence[Values]) -> Proposal:
    """Trial 0, if it is due: nothing else can be tried."""
    due = problem.first == 0 and problem.start is not None
    alone = (Suggestion(0, {}, "default"),) if due else ()
    return Proposal(alone[:count], {}, len(alone) < count, tuple(enqueued))


def _given(
    problem: Problem, enqueued: Sequence[Values], tried: set[str], count: int
) -> tuple[Picked, list[Values]]:
    """Trial 0 and the enqueued configurations, each once; and those dropped as tried before."""
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


def strategy_of(name: StrategyName) -> Strategy:
    """The strategy of a name; its libraries load only now.

    Raises:
        BadInput: No strategy has this name.
    """
    if name not in STRATEGIES:
        names = ", ".join(STRATEGIES)
        raise BadInput(f"search.strategy: {name!r} is unknown; choose one of {names}")
    module, function = STRATEGIES[name]
    strategy: Strategy = getattr(import_module(f"tasks.suggest.strategies.{module}"), function)
    return strategy
