"""Where a study's trials run: on this machine, or on a Ray cluster."""

from __future__ import annotations

from conf.runtime.home import Home
from conf.schema.study import Study
from tasks.train.engine.capacity import slot_count
from tasks.train.engine.client import TrialServer
from tasks.train.engine.engine import Engine
from tasks.train.ray.engine import RayEngine

AnyEngine = Engine | RayEngine


def open_engine(study: Study, home: Home, server: TrialServer | None) -> AnyEngine:
    """The engine that a study asks for; to be closed by the caller.

    Args:
        study: it says how many trials run at once, and where.
        home: the study's.
        server: a trial server of this machine that was started ahead.

    Raises:
        BadInput: Ray is asked for and cannot be used.
    """
    resources = study.resources
    if resources.engine == "ray":
        return RayEngine(home, resources, study.model)
    engine = Engine(
        home,
        slots=slot_count(resources),
        server=server,
        hang_seconds=resources.hang_seconds,
    )
    engine.warm(study.model)
    return engine
