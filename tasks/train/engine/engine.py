"""The interface of a trial engine: where attempts at trials run, and how they are stopped."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

from conf.runtime.closeable import Closing
from conf.schema.run import Resources
from tasks.train.engine.outcome import Outcome
from tasks.train.spec import TrialSpec

GRACE_SECONDS = 10.0
"""Seconds that trials have to reach the end of their epoch when a study is stopped."""


class Engine(Closing):
    """Runs attempts, each in a process of its own.

    The life of an engine, in call order:

    1. It is constructed when the study begins, and may start trial servers then or at the first
       attempt. An engine that cannot be used is refused here, with `BadInput`.
    2. `slots` is read to decide how many attempts to keep running. `use` replaces the resources
       when they change, for instance once it is known how many trials fit on a GPU.
    3. `run` is called once for each attempt, from as many threads as there are attempts at once.
       It blocks until the attempt's processes have ended, and returns the outcome: a trial that
       fails, is killed or runs out of time raises nothing. More threads than slots may call it,
       since attempts wait for a slot themselves.
    4. `stop`, and `kill` if that takes too long, are called when the user stops the study, from any
       thread or a signal handler. Every `run` then returns an `interrupted` outcome, as does every
       later call.
    5. `close` is called at the end, whatever happened: no process of the engine is left.

    An engine retries nothing and writes no journal: the study decides what follows an outcome.
    All methods may be called from any thread.
    """

    lock_seconds: float
    """Seconds to wait for the lock of an earlier attempt whose processes are being ended."""

    @property
    @abstractmethod
    def slots(self) -> int:
        """Attempts that run at once; the others wait for a slot."""

    @property
    @abstractmethod
    def on_gpu(self) -> bool:
        """Whether trials run on GPUs."""

    @abstractmethod
    def use(self, resources: Resources) -> None:
        """Apply other resources to the attempts that start from now on."""

    @abstractmethod
    def run(self, spec: TrialSpec, folder: Path) -> Outcome:
        """Run one attempt in a trial's folder until its processes have ended.

        Args:
            spec: what to train; the engine fills in the slots, and writes it into the folder.
            folder: the trial's folder. What an earlier attempt left there is continued.

        Raises:
            DenseError: trials cannot be started at all.
            TimeoutError: the processes of an earlier attempt cannot be ended.
        """

    @abstractmethod
    def stop(self, grace: float = GRACE_SECONDS) -> None:
        """Start no further attempt; end the running ones after their current epoch.

        Returns at once. Attempts that still run after `grace` seconds are killed, and lose the
        epoch they were in.
        """

    @abstractmethod
    def kill(self) -> None:
        """Start no further attempt, and kill the running ones."""
