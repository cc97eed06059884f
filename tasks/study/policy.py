"""The policy of a study: `decide` maps its state to the next action, a pure function.

The driver asks after every event, performs the action, appends its events, and asks again. Steady
mode keeps every slot busy and uses results as they come. Synchronous mode decides only when a whole
batch has ended, from facts that do not depend on the order in which its trials ended: a study that
is killed anywhere asks the same configurations as one that never was.
"""

from __future__ import annotations

from dataclasses import dataclass

from conf.schema.study import Study
from tasks.study.events import Reason
from tasks.study.state import State
from tasks.study.successive_halving import promote_any, promote_best, promote_within_batch
from tasks.study.trial import Trial


@dataclass(frozen=True)
class Ask:
    """Propose `count` configurations and append one `asked` event."""

    count: int


@dataclass(frozen=True)
class Start:
    """Append an `attempt` event and train a trial."""

    number: int
    attempt: int
    until: int
    """Budget of the attempt: the epoch at which it ends."""
    halvings: int
    """How often its micro-batch is halved."""
    share: int = 1
    """Trials at once on its GPU."""


@dataclass(frozen=True)
class Promote:
    """Append a `promoted` event for each (number, until)."""

    promotions: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Wait:
    """Wait until a running trial ends."""


@dataclass(frozen=True)
class Stop:
    """End this run, in which nothing runs and nothing is left to do; append a `stopped` event."""

    reason: Reason


Action = Ask | Start | Promote | Wait | Stop


def decide(
    state: State, study: Study, *, slots: int, now: float, started: float, stopping: bool = False
) -> Action:
    """Decide what the driver does next.

    Args:
        state: the state after the last event.
        study: the configuration of this run.
        slots: trials that may run at once.
        now: seconds since the epoch.
        started: when this run began, in seconds since the epoch.
        stopping: the user asked to stop. Nothing new starts, and once the running trials have
            ended (the driver tells them to), the action is Stop("user").
    """
    if len(state.running) >= slots:
        return Wait()
    step = _next_step(state, study, slots)
    end: Reason | None = "user" if stopping else _spent_budget(state, study, now, started)
    if isinstance(step, Stop) or end is None:
        return Wait() if state.running and isinstance(step, Stop) else step
    return Wait() if state.running else Stop(end)


def full_epochs(study: Study, trial: Trial) -> int:
    """Epochs of a trial that is trained in full; `train.epochs` may be searched."""
    epochs = trial.values.get("train.epochs")
    return study.train.epochs if epochs is None else int(epochs)


def rung_epochs(study: Study, trial: Trial) -> tuple[int, ...]:
    """Epochs at which a trial's attempts end: its rungs, then the full training."""
    epochs, rungs = full_epochs(study, trial), study.search.rungs
    if rungs is None:
        return (epochs,)
    # Synchronous mode halves each batch by itself, so that a batch is one bracket.
    group = trial.batch if study.search.synchronous else trial.number
    return rungs.levels(epochs, rungs.bracket(group, epochs))


def target_trials(state: State, study: Study) -> int:
    """Trials in all: those of the configuration, or more where `--more` raised the target."""
    return max(study.search.trials, state.target or 0)


def raised_target(state: State, study: Study, more: int) -> int:
    """The target that `--more` sets.

    It counts from the trials asked where a stopping criterion ended the study, and from the last
    target where the user or a budget did.
    """
    ended = state.stopped not in (None, "user", "seconds", "gpu_hours", "money")
    return (state.asked if ended else target_trials(state, study)) + more


def _next_step(state: State, study: Study, slots: int) -> Action:
    """The next action while every budget lasts; Stop when a stopping criterion is met."""
    if study.search.synchronous:
        return _next_step_synchronous(state, study, slots)
    if goal := _stopping_criterion(state, study, state.stale):
        return Stop(goal)
    if promotions := promote_any(state, study):
        return Promote(promotions)
    return _next_start(state, study) or _ask_or_stop(state, study, slots)


def _next_step_synchronous(state: State, study: Study, slots: int) -> Action:
    if start := _next_start(state, study):
        return start
    if state.running:
        return Wait()
    if promotions := promote_within_batch(state, study):
        return Promote(promotions)
    # Every asked trial has ended, so that this does not depend on the order in which they did.
    best = state.best.number if state.best else -1
    stale = state.asked - 1 - max(best, state.plateau_from - 1)
    if goal := _stopping_criterion(state, study, stale):
        return Stop(goal)
    return _ask_or_stop(state, study, slots)


def _spent_budget(state: State, study: Study, now: float, started: float) -> Reason | None:
    """The budget of the run that is used up, or None."""
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
    """GPU hours of all attempts so far, those of running trials up to `now`."""
    began = (state.trials[number].began for number in state.running)
    running = sum(max(0.0, now - time) for time in began if time is not None)
    return (state.seconds + running) / 3600.0 * gpus_per_trial(study)


def gpus_per_trial(study: Study) -> float:
    """GPUs that one trial occupies; a fraction where trials share one."""
    return study.resources.devices / study.resources.share


def _regret_is_small(state: State, study: Study) -> bool:
    """Whether the last two forecasts put the regret at `stop.regret` or below."""
    limit, forecasts = study.stop.regret, state.forecasts
    if limit is None or len(forecasts) < 2:
        return False
    return all(forecast.regret <= limit for forecast in forecasts)


def _stopping_criterion(state: State, study: Study, stale: int) -> Reason | None:
    """The stopping criterion that is met although trials are left, or None."""
    stop, best = study.stop, state.best
    if best is not None and _reached_target(state, best, stop.target):
        return "target"
    if stop.plateau is not None and stale >= stop.plateau:
        return "plateau"
    if stop.failures is not None and best is None and state.failures >= stop.failures:
        return "failures"
    return None


def _reached_target(state: State, trial: Trial, target: float | None) -> bool:
    if target is None or trial.value is None or state.ranked.first == state.best_before_target:
        return False
    return state.sign * trial.value <= state.sign * target


def _trials_left(state: State, study: Study) -> int:
    """Trials that may still be asked; once the search is over, only enqueued ones."""
    left = max(0, target_trials(state, study) - state.asked)
    over = state.exhausted or _regret_is_small(state, study)
    return min(left, len(state.enqueued)) if over else left


def _next_start(state: State, study: Study) -> Start | None:
    if state.ready.first is None:
        return None
    trial = state.trials[state.ready.first[1]]
    until = trial.until or rung_epochs(study, trial)[0]
    share = 1 if trial.alone else study.resources.share
    return Start(trial.number, trial.attempt + 1, until, trial.halvings, share)


def _ask_or_stop(state: State, study: Study, slots: int) -> Action:
    """The action when nothing is queued: the next batch, a last promotion, or the end."""
    if count := min(study.search.batch_size or slots, _trials_left(state, study)):
        return Ask(count)
    if not state.running and (promotions := promote_best(state, study)):
        return Promote(promotions)
    if state.asked >= target_trials(state, study):
        return Stop("trials")
    return Stop("exhausted" if state.exhausted else "regret")
