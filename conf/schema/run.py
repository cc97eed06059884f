"""Sections `stop`, `resources`, `report` and `tracking`, which may change from run to run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from conf.schema.base import Section


class Stop(Section):
    """When a study ends before its last trial."""

    seconds: Annotated[float, Field(gt=0)] | None = None
    """Wall-clock seconds of this run after which nothing new is asked or started."""
    target: float | None = None
    """Value of the objective that is good enough."""
    plateau: Annotated[int, Field(ge=1)] | None = None
    """Finished trials in a row without a better one."""
    regret: Annotated[float, Field(ge=0)] | None = None
    """What is left to gain, in units of the objective, below which the search ends: by the model of
    strategy `bayes`, twice in a row."""
    gpu_hours: Annotated[float, Field(gt=0)] | None = None
    """Hours of training after which nothing new is asked or started, over all runs of the study: a
    trial's, times its devices, by the trials that share one."""
    cost_per_gpu_hour: Annotated[float, Field(gt=0)] | None = None
    """What such an hour costs, in any currency."""
    money: Annotated[float, Field(gt=0)] | None = None
    """What the trials may cost, in that currency."""
    failures: Annotated[int, Field(ge=1)] | None = 5
    """Failed trials, none having succeeded, after which a run gives up; null: never."""

    @model_validator(mode="after")
    def _money_has_a_price(self) -> Stop:
        if self.money is not None and self.cost_per_gpu_hour is None:
            raise ValueError("money needs a price; set stop.cost_per_gpu_hour too")
        return self


class Resources(Section):
    """What one trial may use, and how many run at once."""

    engine: Literal["local", "ray"] = "local"
    """Where trials run: on this machine, or on the nodes of a Ray cluster that share the home (the
    extra `dense[ray]`)."""
    address: Annotated[str, Field(pattern=r"^(auto|[A-Za-z0-9.-]+:[0-9]{1,5})$")] = "auto"
    """The Ray cluster, `host:port`; `auto` is the one that this machine is a node of."""
    slots: Literal["auto"] | Annotated[int, Field(ge=1, le=1_024)] = "auto"
    """Trials at once on this machine, or on the whole Ray cluster; `auto`: cores divided by
    threads, or what fits on the GPUs."""
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    """CPU threads of one trial."""
    workers: Annotated[int, Field(ge=0, le=64)] = 0
    """Processes that load a trial's batches; 0 loads in the trial's own, best for small data."""
    trial_seconds: Annotated[float, Field(gt=0)] = 600.0
    """Seconds that one trial may train, summed over its attempts."""
    hang_seconds: Annotated[float, Field(ge=1)] | None = 300.0
    """Seconds without a finished batch after which a trial is ended and tried again."""
    devices: Annotated[int, Field(ge=1, le=1_024)] = 1
    """Processes that train one trial together, each on a GPU of its own, or on the CPU."""
    strategy: Literal["auto", "ddp", "fsdp"] = "auto"
    """How several devices train one trial: each with the whole model (`ddp`), or with a part of it
    (`fsdp`); `auto` divides what has no room on one."""
    gpu_share: Literal["auto"] | Annotated[int, Field(ge=1, le=64)] = 1
    """Trials at once on one GPU; `auto`: as many as have room, by the memory that a few steps of
    trial 0 take. One that runs out of memory is tried again with a GPU to itself."""
    weights: Annotated[int, Field(ge=0, le=100_000)] = 5
    """The best so many trials keep their weights when they have ended."""
    disk_gib: Annotated[float, Field(gt=0)] | None = None
    """Most GiB for checkpoints and weights of a study's trials that do not run: beyond it the worst
    paused ones lose their checkpoints, and begin again if they are promoted."""

    @model_validator(mode="after")
    def _ray_gives_whole_gpus_or_parts_of_one(self) -> Resources:
        if self.engine == "ray" and self.devices > 1 and self.gpu_share != 1:
            raise ValueError("on Ray a trial of several devices shares none; set gpu_share: 1")
        return self

    @property
    def share(self) -> int:
        """Trials at once on one GPU, as far as it is known: one, until their room was measured."""
        return 1 if self.gpu_share == "auto" else self.gpu_share


class Report(Section):
    """The page about the study."""


class Tracking(Section):
    """How patiently the record is written."""

    patience: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    """Seconds to wait at the end for an MLflow that does not answer."""
