"""What to do next, as a pure function of the state: `decide`.

The driver asks after every event, does what it is told, appends the events that say so, and asks
again. Steady mode keeps every slot busy: results are used as they come. Synchronous mode decides
only where a whole batch has ended, from what does not depend on the order in which its trials
ended; a study killed anywhere therefore asks the same configurations as one never killed.
"""

from __future__ import annotations

from dataclasses import dataclass

from conf.schema.study import Study
from tasks.study.events import Reason
from tasks.study.state import State
from tasks.study.successive_halving import of_all, of_best, of_last_batch
from tasks.study.trial import Trial


@dataclass(frozen=True)
class Ask:
    """Propose so many configurations and append one `asked` line."""

    count: int


@dataclass(frozen=True)
class Start:
    """Append an `attempt` line and train a trial."""

    number: int
    attempt: int
    until: int
    """Epochs at which the attempt ends."""
    halvings: int
    """How often its micro-batch is halved."""
    share: int = 1
    """Trials at once on its GPU."""


@dataclass(frozen=True)
class Promote:
    """Append a `promoted` line for each (number, until)."""

    promotions: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Wait:
    """Nothing until a running trial ends."""


@dataclass(frozen=True)
class Stop:
    """Nothing runs and nothing more is to be done in this run; append a `stopped` line."""

    reason: Reason


Action = Ask | Start | Promote | Wait | Stop


def decide(
    state: State, study: Study, *, slots: int, now: float, started: float, stopping: bool = False
) -> Action:
    """What the driver does next.

    `slots` is how many trials may run at once; `now` and `started` (when this run began) are in
    seconds; `stopping` says that the user wants an end: nothing new starts, and once the running
    trials have ended (the driver asks them to), Stop("user").
    """
    if len(state.running) >= slots:
        return Wait()
    step = _step(state, study, slots)
    end: Reason | None = "user" if stopping else _spent(state, study, now, started)
    if isinstance(step, Stop) or end is None:
        return Wait() if state.running and isinstance(step, Stop) else step
    return Wait() if state.running else Stop(end)


def full_epochs(study: Study, trial: Trial) -> int:
    """Epochs of a whole trial, which may be a searched setting."""
    epochs = trial.values.get("train.epochs")
    return study.train.epochs if epochs is None else int(epochs)


def levels(study: Study, trial: Trial) -> tuple[int, ...]:
    """Epochs at which a trial's attempts end: its rungs, then the whole."""
    epochs, rungs = full_epochs(study, trial), study.search.rungs
    if rungs is None:
        return (epochs,)
    # A batch that is judged by itself is of one bracket.
    group = trial.batch if study.search.synchronous else trial.number
    return rungs.levels(epochs, rungs.bracket(group, epochs))


def wanted(state: State, study: Study) -> int:
    """Trials in all: the configuration's, or more where `--more` asked for more."""
    return max(study.search.trials, state.target or 0)


def raised(state: State, study: Study, more: int) -> int:
    """The target that `--more` sets: beyond what was asked where the study had come to its end,
    beyond what is wanted where it had not."""
    ended = state.stopped not in (None, "user", "seconds", "gpu_hours", "money")
    return (state.asked if ended else wanted(state, study)) + more


def _step(state: State, study: Study, slots: int) -> Action:
    """The next step while there is time; Stop when the study has reached its end."""
    if study.search.synchronous:
        return _synchronous(state, study, slots)
    if goal := _goal(state, study, state.stale):
        return Stop(goal)
    if promotions := of_all(state, study):
        return Promote(promotions)
    return _start(state, study) or _more(state, study, slots)


def _synchronous(state: State, study: Study, slots: int) -> Action:
    if start := _start(state, study):
        return start
    if state.running:
        return Wait()
    if promotions := of_last_batch(state, study):
        return Promote(promotions)
    # Every asked trial has ended: what is judged here is the same in whatever order they did.
    best = state.best.number if state.best else -1
    stale = state.asked - 1 - max(best, state.judged_from - 1)
    if goal := _goal(state, study, stale):
        return Stop(goal)
    return _more(state, study, slots)


def _spent(state: State, study: Study, now: float, started: float) -> Reason | None:
    """The budget that is used up; None while there is some left of each."""
    stop = study.stop
    if stop.seconds is not None and now - started >= stop.seconds:
        return "seconds"
    if stop.gpu_hours is None and stop.money is None:
        return None
    hours = gpu_hours(state, study, now)
    if stop.gpu_hours is not None and hours >= stop.gpu_hours:
        return "gpu_hours"
    if stop.money is not None and hours * (stop.cost_per_gpu_hour or 0.0) >= stop.money:
        return "money"
    return None


def gpu_hours(state: State, study: Study, now: float) -> float:
    """Hours that the trials have used so far, the running ones' up to now."""
    began = (state.trials[number].began for number in state.running)
    running = sum(max(0.0, now - time) for time in began if time is not None)
    return (state.seconds + running) / 3600.0 * gpus(study)


def gpus(study: Study) -> float:
    """GPUs that one trial occupies, or what stands for them."""
    return study.resources.devices / study.resources.share


def _settled(state: State, study: Study) -> bool:
    """Whether the model said, of the last two batches, that too little is left to gain."""
    least, found = study.stop.regret, state.forecasts
    return least is not None and len(found) == 2 and all(each.regret <= least for each in found)


def _goal(state: State, study: Study, stale: int) -> Reason | None:
    """Why nothing more is to be tried although there are trials left; None when there is no why."""
    stop, best = study.stop, state.best
    if best is not None and _reached(state, best, stop.target):
        return "target"
    if stop.plateau is not None and stale >= stop.plateau:
        return "plateau"
    if stop.failures is not None and best is None and state.failures >= stop.failures:
        return "failures"
    return None


def _reached(state: State, trial: Trial, target: float | None) -> bool:
    if target is None or trial.value is None or state.ranked.first == state.judged_best:
        return False
    return state.sign * trial.value <= state.sign * target


def _left(state: State, study: Study) -> int:
    """Trials that may still be asked; where the search is over, only what a person enqueues."""
    left = max(0, wanted(state, study) - state.asked)
    over = state.exhausted or _settled(state, study)
    return min(left, len(state.enqueued)) if over else left


def _start(state: State, study: Study) -> Start | None:
    if state.ready.first is None:
        return None
    trial = state.trials[state.ready.first[1]]
    until = trial.until or levels(study, trial)[0]
    share = 1 if trial.alone else study.resources.share
    return Start(trial.number, trial.attempt + 1, until, trial.halvings, share)


def _more(state: State, study: Study, slots: int) -> Action:
    """What comes when nothing is queued: the next batch, or else the end."""
    if count := min(study.search.batch_size or slots, _left(state, study)):
        return Ask(count)
    if not state.running and (promotions := of_best(state, study)):
        return Promote(promotions)
    if state.asked >= wanted(state, study):
        return Stop("trials")
    return Stop("exhausted" if state.exhausted else "regret")
