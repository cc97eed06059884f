"""A study without processes: a clock that is told, trials that are arithmetic, drivers that die.

`World` is what outlives a driver: the journal's bytes and the trials' folders. `drive` is the
driver's loop, with the room's own `decide`, `apply` and `ending`. A `World` can be told to kill
the driver at given lines: before the line, in the middle of it, or just after it.
"""

from __future__ import annotations

import hashlib
import heapq
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from conf.schema.search import Rungs, Search
from conf.schema.study import Study
from conf.schema.train import Train
from tasks.study.event_builders import end_events, observations, pending
from tasks.study.events import Asked, Attempt, Event, Promoted, Stopped, Suggested, decode, encode
from tasks.study.policy import Ask, Promote, Start, Stop, Wait, decide
from tasks.study.replay import apply, fold
from tasks.study.state import State
from tasks.train.engine.outcome import Ending, Outcome

Proposer = Callable[[State, int], Asked]


class Killed(Exception):
    """The driver's death."""


def a_study(trials: int, *, epochs: int = 4, rungs: Rungs | None = None, **search: object) -> Study:
    searching = Search(trials=trials, rungs=rungs, **search)
    return Study(name="simulated", search=searching, train=Train(epochs=epochs))


def many_deaths(seed: int, count: int, gap: int = 60) -> list[int]:
    """Lines that each driver writes before its death."""
    chance = random.Random(seed)
    return [chance.randrange(gap) for _ in range(count)]


def troubles(number: int, attempt: int, epoch: int) -> str | None:
    """Some trials fail for good, some are killed once, some need less memory."""
    fate = unit("fate", number)
    if fate < 0.1 and epoch == 1:
        return "nan"
    if 0.1 <= fate < 0.2 and attempt <= 2:
        return "oom"
    if 0.2 <= fate < 0.3 and attempt == 1:
        return "killed"
    return None


@dataclass
class Folder:
    """What a trial leaves on disk."""

    epoch: int = 0
    attempt: int = 0
    result: Outcome | None = None


@dataclass
class World:
    """Disk and machine."""

    study: Study
    seed: int = 0
    deaths: list[int] = field(default_factory=list)
    """Lines after which the driver dies, each counted from the driver's start."""
    fails: Callable[[int, int, int], str | None] = lambda number, attempt, epoch: None
    """Cause of an attempt's end at an epoch; None: it goes on."""
    content: bytearray = field(default_factory=bytearray)
    folders: dict[int, Folder] = field(default_factory=dict)
    alive: dict[int, int] = field(default_factory=dict)
    """Running trial to the epochs it is to reach."""
    clock: float = 0.0
    starts: list[tuple[int, int]] = field(default_factory=list)
    agenda: list[tuple[float, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.written = 0

    def lines(self) -> list[Event]:
        """The journal's events, without a torn tail."""
        return [decode(line) for line in bytes(self.content).split(b"\n")[:-1]]

    def write(self, event: Event) -> None:
        """One line, unless the driver dies over it."""
        line = encode(event)
        if self.deaths and self.written >= self.deaths[0]:
            self.deaths.pop(0)
            kept = self.chance.choice([0, len(line) // 2, len(line)])
            self.content += line[:kept]
            raise Killed
        self.content += line
        self.written += 1

    def start(self, number: int, attempt: int, until: int) -> None:
        """A trial's process starts."""
        folder = self.folders.setdefault(number, Folder())
        assert number not in self.alive, "a trial runs once at a time"
        assert folder.result is None or folder.result.outcome != "complete", "it was complete"
        folder.attempt, folder.result = attempt, None
        self.alive[number] = until
        self.starts.append((number, attempt))
        self._plan(number)

    def next_end(self) -> tuple[int, Outcome]:
        """Let time pass until a trial's process ends."""
        while True:
            number = self._epoch()
            if self.folders[number].result is not None:
                return number, self.folders[number].result

    def crash(self) -> None:
        """The machine after the driver's death: trials train on for a moment, then are dead."""
        for _ in range(self.chance.randrange(8)):
            if self.agenda:
                self._epoch()
        self.alive.clear()
        self.agenda.clear()
        self.written = 0

    def settle(self, number: int, attempt: int) -> Outcome:
        """What an attempt left."""
        folder = self.folders.setdefault(number, Folder())
        if folder.result is not None and folder.attempt == attempt:
            return folder.result
        return end("interrupted", cause="driver", epochs=folder.epoch)

    def _plan(self, number: int) -> None:
        seconds = 1 + unit("pace", number) * 5 + self.chance.random()
        heapq.heappush(self.agenda, (self.clock + seconds, number))

    def _epoch(self) -> int:
        self.clock, number = heapq.heappop(self.agenda)
        folder, until = self.folders[number], self.alive[number]
        cause = self.fails(number, folder.attempt, folder.epoch)
        if cause is None:
            folder.epoch = min(folder.epoch + 1, until)
            if folder.epoch < until:
                self._plan(number)
                return number
        value = objective(number, folder.epoch)
        if cause is not None:
            folder.result = end("failed", cause=cause, epochs=folder.epoch)
        else:
            outcome = "complete" if until == self.study.train.epochs else "paused"
            folder.result = end(outcome, value=value, epochs=folder.epoch)
        del self.alive[number]
        return number


def end(outcome: Ending, **facts: Any) -> Outcome:
    """The end of an attempt."""
    return Outcome(outcome, **{"seconds": 1.0, **facts})


def unit(*parts: object) -> float:
    """A number in [0, 1) that is a function of the parts."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def objective(number: int, epoch: int) -> float:
    """A trial's value after some epochs: better with more of them."""
    return unit("value", number) * (1 - 0.5**epoch)


def informed(state: State, count: int) -> Asked:
    """A batch that depends on everything a suggestion may depend on, and on nothing else."""
    told = sorted((o.number, o.rung or 0, o.value, o.outcome) for o in observations(state))
    known = (told, pending(state), state.memory, state.asked)
    return _batch(state, count, digest=hashlib.sha256(repr(known).encode()).hexdigest())


def blind(state: State, count: int) -> Asked:
    """A batch that depends on its number alone."""
    return _batch(state, count, digest=f"{state.asked:064x}")


def _batch(state: State, count: int, digest: str) -> Asked:
    suggestions = tuple(
        Suggested(
            number=number,
            values={"train.lr": 1e-4 + unit(digest, number)},
            digest=f"{number}-{digest}",
            origin="model",
        )
        for number in range(state.asked, state.asked + count)
    )
    memory = {"steps": state.memory.get("steps", 0) + 1, "last": digest}
    return Asked(
        batch=state.batches, first=state.asked, suggestions=suggestions, state=memory, time=0.0
    )


def drive(world: World, *, slots: int, propose: Proposer = informed) -> tuple[str, State]:
    """One driver from its start to the study's end: the reason, and the state. May raise Killed."""
    world.content = world.content[: world.content.rfind(b"\n") + 1]
    state = fold(world.lines(), world.study.evaluate.direction)
    started = world.clock

    def append(*events: Event) -> None:
        nonlocal state
        for event in events:
            state = apply(state, event)
            world.write(event)

    for number in list(state.running):
        left = world.settle(number, state.trials[number].attempt)
        append(*end_events(state, number, left, world.clock))
    while True:
        action = decide(state, world.study, slots=slots, now=world.clock, started=started)
        match action:
            case Ask(count):
                append(propose(state, count))
            case Start(number, attempt, until, halvings):
                epoch = world.folders.get(number, Folder()).epoch
                facts = {"number": number, "attempt": attempt, "until": until, "epoch": epoch}
                append(Attempt(**facts, halvings=halvings, time=world.clock))
                world.start(number, attempt, until)
            case Promote(promotions):
                append(*(Promoted(number=n, until=u, time=world.clock) for n, u in promotions))
            case Wait():
                number, left = world.next_end()
                append(*end_events(state, number, left, world.clock))
            case Stop(reason):
                append(Stopped(reason=reason, time=world.clock))
                return reason, state


def run(world: World, *, slots: int, propose: Proposer = informed) -> tuple[str, State]:
    """Drivers one after the other until one reaches the study's end."""
    while True:
        try:
            return drive(world, slots=slots, propose=propose)
        except Killed:
            world.crash()


def asked_lines(world: World) -> Iterator[dict[str, object]]:
    """The `asked` lines, times aside."""
    for line in world.lines():
        if isinstance(line, Asked):
            yield line.model_dump(exclude={"time"})
