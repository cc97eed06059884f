"""A trial on several devices: torch elastic inside the trial's own process group.

The trial's process is the launcher and trains nothing; it forks a process a device. The first of
them is the only one that writes the trial's folder. All see the same validation rows, so that none
counts twice, and follow the first one's decision to stop.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

from tasks.train.engine.failures import failure
from tasks.train.engine.protocol import Reporter
from tasks.train.folder import TrialFolder
from tasks.train.spec import Result, TrialSpec
from tasks.train.trial import fit

RANK = "LOCAL_RANK"


def fit_on_devices(
    spec: TrialSpec, folder: TrialFolder, reporter: Reporter, is_stopped: Callable[[], bool]
) -> Result | None:
    """As `fit.fit`, on `spec.devices` devices; `is_stopped` must be visible to forked processes.

    A process that dies takes the trial with it, by the same signal, so that the engine judges it as
    it judges any trial that was killed.
    """
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=spec.devices,
        run_id=f"{spec.study}-{spec.number}-{spec.attempt}",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        start_method="fork",  # nothing here has touched a device
        monitor_interval=0.05,
        max_restarts=0,
        local_addr="localhost",
    )
    for path in answers(folder, spec.devices):
        path.unlink(missing_ok=True)
    with contextlib.suppress(ChildFailedError):  # its cause is in the answers
        elastic_launch(config, work)(spec, folder, reporter, is_stopped)
    results = [Result.read_file(path) for path in answers(folder, spec.devices)]
    given = [result for result in results if result is not None]
    if not given and not is_stopped():
        os.kill(os.getpid(), signal.SIGKILL)
    return max(given, key=telling, default=None)


def answers(folder: TrialFolder, devices: int) -> list[Path]:
    """Where each device's process says how it ended."""
    return [folder.path / f".rank-{rank}.json" for rank in range(devices)]


def telling(result: Result) -> int:
    """How much of the cause a result tells: after one device has failed, the others only lose
    their connection to it."""
    if result.outcome != "failed":
        return 0
    return 1 if result.cause == "infrastructure" else 2


def work(
    spec: TrialSpec, folder: TrialFolder, reporter: Reporter, is_stopped: Callable[[], bool]
) -> None:
    """One device's process."""
    rank = int(os.environ[RANK])
    path = answers(folder, spec.devices)[rank]
    try:
        result = fit.fit(spec, folder, reporter, is_stopped, rank=rank)
    except Exception as error:
        failure(error, spec, folder).write_file(path)
        raise
    if result is not None:
        result.write_file(path)
