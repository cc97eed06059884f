"""Where a study's trials run: on this machine or on a Ray cluster, and how many share a GPU."""

from __future__ import annotations

import tempfile
from pathlib import Path

from conf.runtime.home import Home
from conf.schema.study import Study
from flows.study.attempts import short_spec
from tasks.prepare import Prepared
from tasks.train.engine.capacity import share_of, slot_count, usable_cores, visible_gpus
from tasks.train.engine.client import TrialServer
from tasks.train.engine.engine import Engine
from tasks.train.engine.local import LocalEngine
from tasks.train.ray.engine import RayEngine
from tasks.train.spec import Result

STEPS = 4
"""Optimiser steps of the measurement: the optimiser's own state is there from the second on."""
MAX_SHARE = 64


def open_engine(study: Study, home: Home, server: TrialServer | None) -> Engine:
    """Open the engine that a study asks for; the caller closes it.

    Args:
        study: `resources` sets how many trials run at once, and where.
        home: the home of the study.
        server: a trial server of this machine that was started ahead.

    Raises:
        BadInput: Ray is asked for and cannot be used.
    """
    resources = study.resources
    if resources.engine == "ray":
        return RayEngine(home, resources, study.model)
    engine = LocalEngine(
        home,
        slots=slot_count(resources),
        server=server,
        hang_seconds=resources.hang_seconds,
    )
    engine.warm(study.model)
    return engine


def measured_share(study: Study, prepared: Prepared, home: Home, engine: Engine) -> int:
    """Trials at once on one GPU, from the memory that a few steps of trial 0 take.

    The short run is recorded nowhere; `resources.gpu_share: auto` asks for it.
    """
    with tempfile.TemporaryDirectory(dir=home.path, prefix=".measure-") as scratch:
        engine.run(short_spec(study, prepared, STEPS), Path(scratch))
        return share_of(Result.read(Path(scratch)), max_share(study))


def max_share(study: Study) -> int:
    """Trials at once on one GPU that this machine's cores can feed."""
    gpus, resources = len(visible_gpus()), study.resources
    if not gpus or resources.engine == "ray":  # Ray counts the cores of its nodes itself
        return MAX_SHARE
    return max(1, min(MAX_SHARE, len(usable_cores()) // (gpus * resources.threads)))


def with_share(study: Study, share: int) -> Study:
    """A copy of the study with `share` trials at once on one GPU."""
    resources = study.resources.model_copy(update={"gpu_share": share})
    return study.model_copy(update={"resources": resources})
