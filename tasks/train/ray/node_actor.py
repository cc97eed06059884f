"""The Ray actor of one node and study: it holds the trial server and the slots of that node."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from pathlib import Path

import conf.runtime.environment
from conf.runtime.errors import DenseError
from conf.runtime.file_lock import FileLock
from conf.runtime.home import Home
from conf.schema.model import Model
from conf.schema.run import Resources
from tasks.train.engine.capacity import slot_count
from tasks.train.engine.local import LocalEngine
from tasks.train.engine.outcome import Outcome
from tasks.train.spec import TrialSpec

LOCK_SECONDS = 180.0
"""How long a trial's lock is waited for: until the storage lets go of what a dead node held."""


def storage_error(marker: Path, token: str) -> str:
    """Why this node does not share the home with the driver; empty if it does.

    Args:
        marker: a file in the home that the driver has written and holds a lock on.
        token: content of that file.
    """
    try:
        seen = marker.read_text()
    except OSError:
        seen = ""
    host, home = socket.gethostname(), marker.parent
    if seen != token:
        return (
            f"resources.engine: node {host} does not see the home {home}; put DENSE_HOME on "
            "storage that all nodes of the Ray cluster mount at the same path"
        )
    lock = FileLock.try_acquire(marker)
    if lock is not None:
        lock.close()
        return (
            f"resources.engine: node {host} does not see locks that others hold in the home "
            f"{home}; mount that storage with locks"
        )
    return ""


class NodeActor:
    """Runs the attempts of one study on one node, with a `LocalEngine`.

    Ray ends the actor with the study's driver. The trials end with the actor, since the trial
    server's guard is this process's end of a pipe.
    """

    def __init__(self, resources: Resources, model: Model, places: int) -> None:
        """`places` is the number of trials that Ray may run on this node at once."""
        self._resources = resources
        self._model = model
        self._places = places
        self._engine: LocalEngine | None = None

    def open(self, marker: Path, token: str) -> str:
        """Start the trial server in the background; returns `storage_error`."""
        if error := storage_error(marker, token):
            return error
        conf.runtime.environment.apply()
        os.environ["DENSE_HOME"] = str(marker.parent)
        # Ray divides the CPUs it was told of; the locks go by those that are there.
        auto = self._resources.model_copy(update={"slots": "auto"})
        self._engine = LocalEngine(
            Home.open(marker.parent),
            slots=max(slot_count(auto), self._places),
            hang_seconds=self._resources.hang_seconds,
            lock_seconds=LOCK_SECONDS,
        )
        threading.Thread(target=self._warm, daemon=True).start()
        return ""

    def run(self, spec: TrialSpec, folder: Path) -> Outcome:
        """Run one attempt here, as `LocalEngine.run`."""
        return self.engine.run(spec, folder)

    def stop(self, grace: float) -> None:
        """As `LocalEngine.stop`."""
        self.engine.stop(grace)

    def kill(self) -> None:
        """As `LocalEngine.kill`."""
        self.engine.kill()

    def close(self) -> None:
        """As `LocalEngine.close`."""
        self.engine.close()

    @property
    def engine(self) -> LocalEngine:
        """The engine of this node, after a successful `open`."""
        if self._engine is None:
            raise DenseError("the node actor was not opened")
        return self._engine

    def _warm(self) -> None:
        with contextlib.suppress(DenseError):  # the first trial says why
            self.engine.server()
            self.engine.warm(self._model)
