"""`resources.gpu_share: auto`: a few steps of trial 0 tell how many trials share a GPU."""

from __future__ import annotations

import tempfile
from pathlib import Path

from conf.runtime.home import Home
from conf.schema.study import Study
from flows.study.dry_run import brief
from flows.study.engines import AnyEngine
from tasks.prepare import Prepared
from tasks.train.engine.capacity import usable_cores, visible_gpus
from tasks.train.engine.gpu_sharing import share_of
from tasks.train.spec import Result

STEPS = 4
"""Optimiser steps of the measurement: the optimiser's own state is there from the second on."""
MOST = 64


def measured_share(study: Study, prepared: Prepared, home: Home, engine: AnyEngine) -> int:
    """Trials at once on one GPU; recorded nowhere but in what the study does with it."""
    with tempfile.TemporaryDirectory(dir=home.path, prefix=".measure-") as scratch:
        engine.run(brief(study, prepared, STEPS), Path(scratch))
        return share_of(Result.read(Path(scratch)), most_of(study))


def most_of(study: Study) -> int:
    """Trials at once on one GPU that this machine's cores can feed."""
    gpus, resources = len(visible_gpus()), study.resources
    if not gpus or resources.engine == "ray":  # Ray counts the cores of its nodes itself
        return MOST
    return max(1, min(MOST, len(usable_cores()) // (gpus * resources.threads)))


def with_share(study: Study, share: int) -> Study:
    """The study with so many trials on one GPU."""
    resources = study.resources.model_copy(update={"gpu_share": share})
    return study.model_copy(update={"resources": resources})
