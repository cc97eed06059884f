"""Trials on this machine, in processes that the trial server forks."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

from conf.runtime.home import Home
from conf.schema.model import Model
from conf.schema.run import Resources
from tasks.train.engine import locks
from tasks.train.engine import oom as memory_facts
from tasks.train.engine.capacity import slot_count, visible_gpus
from tasks.train.engine.client import TrialServer
from tasks.train.engine.engine import GRACE_SECONDS, Engine
from tasks.train.engine.outcome import Outcome
from tasks.train.engine.preload import modules_of
from tasks.train.engine.protocol import ExitReport, ServerLost
from tasks.train.engine.recover import ProcessEnd, outcome_of
from tasks.train.engine.watch import Watch
from tasks.train.folder import TrialFolder
from tasks.train.spec import TrialSpec


class LocalEngine(Engine):
    """Runs attempts in processes forked by one trial server.

    The trials themselves take the slots, as locks, so that several studies share one machine.
    """

    def __init__(
        self,
        home: Home,
        *,
        slots: int,
        server: TrialServer | None = None,
        hang_seconds: float | None = None,
        lock_seconds: float = 30.0,
    ) -> None:
        """Start nothing yet: the trial server starts with the first attempt, or `server` is used.

        Args:
            home: where slots and logs lie.
            slots: concurrent trials on this machine.
            server: a running trial server.
            hang_seconds: seconds without a sign of life after which a trial is killed: without a
                finished batch, or without processor time for a model that is fitted in one step;
                None: only the time limit ends a trial.
            lock_seconds: how long to wait for the lock of an earlier attempt.
        """
        self._home = home
        self._slots = slots
        self.lock_seconds = lock_seconds
        self._slots_dir = home.slots / socket.gethostname()
        self._hang = hang_seconds
        self._server_now = server
        self._running: set[int] = set()
        self._watches: dict[int, Watch] = {}
        self._stopping = False
        self._killing = False
        self._lock = threading.RLock()
        self._idle = threading.Condition(self._lock)

    @property
    def slots(self) -> int:
        """Attempts that run at once on this machine."""
        return self._slots

    def run(self, spec: TrialSpec, folder: Path) -> Outcome:
        """Run one attempt; see `Engine.run`.

        Raises:
            DenseError: the trial server cannot be started.
            TimeoutError: the processes of an earlier attempt cannot be ended.
        """
        place = TrialFolder(folder)
        if place.lock.exists():
            locks.end_holder(place.lock, wait=self.lock_seconds)
        spec = spec.model_copy(update={"slots_dir": str(self._slots_dir), "slots": self._slots})
        spec.write(folder)
        watch = self._submit(spec, folder)
        if watch is None:
            return Outcome("interrupted", "user", message="stopped by the user")
        try:
            ended = self._wait(watch)
        finally:
            self._forget(watch)
        if ended.status is None:
            locks.end_holder(place.lock, wait=self.lock_seconds)
        return outcome_of(place, spec.attempt, spec.until, ended)

    def use(self, resources: Resources) -> None:
        """Set the number of slots anew; see `Engine.use`."""
        self._slots = slot_count(resources)

    @property
    def on_gpu(self) -> bool:
        """Whether trials run on GPUs."""
        return bool(visible_gpus())

    def warm(self, model: Model) -> None:
        """Let the trial server import the modules of a model, without waiting for it."""
        with self._lock:
            if self._server_now is not None and self._server_now.alive:
                self._server_now.warm(modules_of(model, self._home))

    def stop(self, grace: float = GRACE_SECONDS) -> None:
        """End running trials after their current epoch; see `Engine.stop`."""
        with self._lock:
            self._stopping = True
            for watch in self._watches.values():
                watch.sent = watch.sent or "user"
                watch.server.stop(watch.attempt)
        threading.Thread(target=self._kill_after, args=(grace,), daemon=True).start()

    def kill(self) -> None:
        """Kill all running trials; see `Engine.kill`."""
        with self._lock:
            self._stopping = self._killing = True
            for watch in self._watches.values():
                watch.end("user")

    def close(self) -> None:
        """End the trial server and with it every trial."""
        with self._lock:
            self._stopping = True
            server = self._server_now
        if server is not None:
            server.close()

    def server(self) -> TrialServer:
        """The trial server; one that has died is replaced.

        Raises:
            DenseError: it does not start.
        """
        with self._lock:
            if self._server_now is None or not self._server_now.alive:
                if self._server_now is not None:
                    self._server_now.close()
                self._server_now = TrialServer.start(self._home.logs / "trial-server.log")
            server = self._server_now
        server.wait_ready()
        return server

    def _submit(self, spec: TrialSpec, folder: Path) -> Watch | None:
        server = self.server()
        with self._lock:
            if self._stopping:
                return None
            server.warm(modules_of(spec.config.model, self._home))
            attempt = server.submit(folder)
            batches = spec.config.model.capabilities.epochs
            watch = Watch(attempt, server, spec.trial_seconds, self._hang, batches)
            self._watches[id(watch)] = watch
            return watch

    def _forget(self, watch: Watch) -> None:
        with self._idle:
            self._watches.pop(id(watch), None)
            self._idle.notify_all()

    def _kill_after(self, grace: float) -> None:
        with self._idle:
            self._idle.wait_for(lambda: not self._watches, timeout=grace)
            for watch in self._watches.values():
                watch.end("user")

    def _wait(self, watch: Watch) -> ProcessEnd:
        """Follow one attempt's reports until its process is gone."""
        groups = memory_facts.cgroup_folders()
        before = memory_facts.look(groups)
        while True:
            report = watch.attempt.wait(watch.patience())
            if report is None:
                watch.check()
                watch.memory = [*watch.memory[-5:], memory_facts.look(groups)]
                if watch.server.alive:
                    continue
                report = ServerLost()
            if isinstance(report, ExitReport | ServerLost):
                seen = [*watch.memory, memory_facts.look(groups)]
                status = report.status if isinstance(report, ExitReport) else None
                short = memory_facts.was_short(before, seen)
                return ProcessEnd(watch.seconds(), status, watch.sent, short)
            watch.receive(report)
