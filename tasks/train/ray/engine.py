"""Trials on a Ray cluster: Ray chooses the node, and the node actor runs the trial.

A placement group holds a trial's CPUs and GPUs on one node while it runs. Nothing is tried again by
Ray: an attempt that is lost with its node is an outcome with a cause, as on one machine.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from conf.runtime.atomic_write import write_atomically
from conf.runtime.errors import BadInput, DenseError
from conf.runtime.file_lock import FileLock
from conf.runtime.home import Home
from conf.schema.model import Model
from conf.schema.run import Resources
from tasks.train.engine.engine import GRACE_SECONDS, Engine
from tasks.train.engine.outcome import Outcome
from tasks.train.engine.recover import settle
from tasks.train.folder import TrialFolder
from tasks.train.ray.checks import (
    Node,
    address_of,
    cause_of,
    gpu_numbers,
    need_of,
    need_ray,
    places,
    unanswered,
)
from tasks.train.ray.node_actor import LOCK_SECONDS, NodeActor, storage_error
from tasks.train.spec import TrialSpec

LOOK_SECONDS = 2.0
"""Seconds after which the list of the cluster's nodes is read again."""
OPEN_SECONDS = 120.0
"""Seconds that a node may take to start its actor."""
SPARE_CALLS = 8
"""Concurrent calls of a node actor beside its trials."""


class RayEngine(Engine):
    """Runs attempts on the nodes of a Ray cluster."""

    lock_seconds = LOCK_SECONDS

    def __init__(self, home: Home, resources: Resources, model: Model) -> None:
        """Attach to the cluster and see that its nodes can work in this home.

        Raises:
            BadInput: Ray is not installed, no cluster answers, no node can hold a trial, or one
                does not share the home.
        """
        self._ray = need_ray()
        self._home = home
        self._resources = resources
        self._model = model
        self._actors: dict[str, Any] = {}
        self._nodes: tuple[float, dict[str, Node]] = (float("-inf"), {})
        self._stopping = False
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._marker = home.path / f".shared-{uuid.uuid4().hex}"
        self._attach()
        try:
            self._mark()
            if not self._living():
                raise BadInput(
                    f"resources: no node of the Ray cluster has {self._need()} for a trial; "
                    "lower resources.threads or resources.devices, or add nodes"
                )
            self._open_actors()
        except BaseException:
            self.close()
            raise

    @property
    def slots(self) -> int:
        """Trials at once: as configured, or as many as the living nodes hold."""
        if self._resources.slots != "auto":
            return self._resources.slots
        return max(1, sum(node.places for node in self._living().values()))

    def run(self, spec: TrialSpec, folder: Path) -> Outcome:
        """Run one attempt on the node that Ray chooses; see `Engine.run`.

        Raises:
            BadInput: the node does not share the home.
            DenseError: the node's trial server cannot be started.
            TimeoutError: the processes of an earlier attempt cannot be ended.
        """
        while True:
            with self._share(spec) as share:
                if share is None:
                    return stopped()
                node, gpus = share
                if (actor := self._actor(node)) is not None:
                    return self._run_on(node, actor, spec, folder, gpus)
            time.sleep(LOOK_SECONDS)  # Ray has not noticed yet that the node is gone

    def use(self, resources: Resources) -> None:
        """Apply other resources; see `Engine.use`."""
        with self._lock:
            self._resources, self._nodes = resources, (float("-inf"), {})

    @property
    def on_gpu(self) -> bool:
        """Whether trials run on GPUs."""
        return bool(self._ray.cluster_resources().get("GPU", 0.0) > 0)

    def stop(self, grace: float = GRACE_SECONDS) -> None:
        """End running trials after their current epoch; see `Engine.stop`."""
        self._stopping = True
        for actor in self._known():
            actor.stop.remote(grace)

    def kill(self) -> None:
        """Kill all running trials; see `Engine.kill`."""
        self._stopping = True
        for actor in self._known():
            actor.kill.remote()

    def close(self) -> None:
        """End the study's part of the cluster, and with it every trial."""
        self._stopping = True
        if self._ray.is_initialized():
            ends = [actor.close.remote() for actor in self._known()]
            if ends:
                with contextlib.suppress(self._ray.exceptions.RayError):
                    self._ray.wait(ends, num_returns=len(ends), timeout=GRACE_SECONDS)
            self._ray.shutdown()
        self._marker.unlink(missing_ok=True)

    # The cluster

    def _attach(self) -> None:
        """Become a driver of the cluster, and leave signals to the study."""
        if complaint := unanswered(address_of(self._resources.address)):
            raise self._no_cluster(complaint)
        main = threading.current_thread() is threading.main_thread()
        before = signal.getsignal(signal.SIGTERM)
        logging.getLogger("ray").setLevel(logging.CRITICAL)
        try:
            self._ray.init(
                address=self._resources.address,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                configure_logging=False,
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise self._no_cluster(str(error).splitlines()[0]) from error
        finally:
            if main:
                signal.signal(signal.SIGTERM, before)

    def _no_cluster(self, reason: str) -> BadInput:
        return BadInput(
            f"resources.address: no Ray cluster answers at {self._resources.address} ({reason}); "
            "start one with `ray start --head`, or set engine: local"
        )

    def _mark(self) -> None:
        """Write what every node must see; the lock on it is held until the process ends."""
        write_atomically(self._marker, self._marker.name)
        if (
            FileLock.try_acquire(self._marker) is None
            or not storage_error(self._marker, self._marker.name) == ""
        ):
            raise BadInput(
                f"the home {self._home.path} lies on storage without locks; choose another"
            )

    def _need(self) -> dict[str, float]:
        resources = self._resources
        return self._needed(resources.threads, resources.devices, resources.share)

    def _needed(self, threads: int, devices: int, gpu_share: int) -> dict[str, float]:
        return need_of(threads=threads, devices=devices, gpu_share=gpu_share, gpus=self.on_gpu)

    def _living(self) -> dict[str, Node]:
        """The nodes that can hold a trial, as they were a moment ago."""
        with self._lock:
            seen, nodes = self._nodes
            if time.monotonic() - seen >= LOOK_SECONDS:
                need = self._need()
                cpus = {"CPU": need["CPU"]}
                found = (
                    Node(each["NodeID"], places(each["Resources"], need), places(held, cpus))
                    for each in self._ray.nodes()
                    if each["Alive"] and (held := each["Resources"])
                )
                nodes = {node.id: node for node in found if node.places > 0}
                self._nodes = (time.monotonic(), nodes)
            return nodes

    # Node actors

    def _known(self) -> list[Any]:
        with self._lock:
            return list(self._actors.values())

    def _open_actors(self) -> None:
        """Start a node actor on every node, all at once."""
        nodes = self._living().values()
        begun = [(node.id, *self._begin_actor(node)) for node in nodes]
        accepted = [self._accept(*each) for each in begun]
        if not any(accepted):
            raise DenseError("no node of the Ray cluster could start a node actor; run again")

    def _actor(self, node: str) -> Any | None:
        """The actor of a node, started if the node has joined the cluster or lost its actor; None
        if the node cannot have one."""
        if (actor := self._actors.get(node)) is not None:
            return actor
        with self._opening:
            known = self._living().get(node)
            if node not in self._actors and known is not None:
                self._accept(node, *self._begin_actor(known))
            return self._actors.get(node)

    def _begin_actor(self, node: Node) -> tuple[Any, Any]:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        actor = (
            self._ray.remote(NodeActor)
            .options(
                num_cpus=0,
                max_concurrency=node.most + SPARE_CALLS,
                max_restarts=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
            )
            .remote(self._resources, self._model, node.most)
        )
        return actor, actor.open.remote(self._marker, self._marker.name)

    def _accept(self, node: str, actor: Any, answer: Any) -> bool:
        """Whether a node actor has started.

        Raises:
            BadInput: its node does not share the home.
        """
        try:
            complaint = self._ray.get(answer, timeout=OPEN_SECONDS)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from error
        except self._ray.exceptions.RayError:
            self._ray.kill(actor)
            return False
        if complaint:
            raise BadInput(complaint)
        with self._lock:
            self._actors[node] = actor
        if self._stopping:
            actor.kill.remote()
        return True

    # Trials

    @contextmanager
    def _share(self, spec: TrialSpec) -> Iterator[tuple[str, Any] | None]:
        """A node's share for one trial, for as long as it takes: the node, and the task that tells
        the GPUs' numbers there; None once trials are to stop."""
        from ray.util.placement_group import (
            placement_group,
            placement_group_table,
            remove_placement_group,
        )

        need = self._needed(spec.threads, spec.devices, spec.gpu_share)
        group = placement_group([need])
        try:
            while not self._stopping and not group.wait(1):
                pass
            if self._stopping:
                yield None
                return
            node = placement_group_table(group)["bundles_to_node_id"][0]
            yield node, self._gpus(group, need.get("GPU", 0.0))
        finally:
            with contextlib.suppress(Exception):  # the cluster may be gone
                remove_placement_group(group)

    def _gpus(self, group: Any, count: float) -> Any:
        """What will be the numbers, on the node, of the GPUs that Ray has set aside; None if it has
        set none aside."""
        if not count:
            return None
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        place = PlacementGroupSchedulingStrategy(group)
        look = self._ray.remote(gpu_numbers).options(
            num_cpus=0, num_gpus=count, scheduling_strategy=place
        )
        return look.remote()

    def _run_on(self, node: str, actor: Any, spec: TrialSpec, folder: Path, gpus: Any) -> Outcome:
        """One attempt on a node that has set a share aside."""
        try:
            if gpus is not None:
                spec = spec.model_copy(update={"gpus": tuple(self._ray.get(gpus))})
            outcome: Outcome = self._ray.get(actor.run.remote(spec, folder))
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from error
        except self._ray.exceptions.RayError as error:
            return self._lost(node, spec, folder, error)
        return outcome

    def _lost(self, node: str, spec: TrialSpec, folder: Path, error: Exception) -> Outcome:
        """The outcome of an attempt whose actor is gone."""
        with self._lock:
            self._actors.pop(node, None)
        left = settle(TrialFolder(folder), spec.attempt, spec.until, wait=LOCK_SECONDS)
        if left.outcome != "interrupted":
            return left
        if self._stopping:
            return replace(left, cause="user", message=stopped().message)
        cause, message = cause_of(type(error).__name__)
        return replace(left, outcome="failed", cause=cause, message=message)


def stopped() -> Outcome:
    """The outcome of an attempt that never began."""
    return Outcome("interrupted", "user", message="stopped by the user")
