"""Sections `stop`, `resources`, `report` and `tracking`, which may change from run to run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from conf.schema.base import Section


class StoppingCriteria(Section):
    """Stopping criteria: when a study ends before its last trial."""

    seconds: Annotated[float, Field(gt=0)] | None = None
    """Wall-clock seconds of this run after which no new trial is proposed or started."""
    target: float | None = None
    """Value of the objective at which the study stops."""
    plateau: Annotated[int, Field(ge=1)] | None = None
    """Number of consecutive finished trials without an improvement."""
    regret: Annotated[float, Field(ge=0)] | None = None
    """Expected remaining improvement (simple regret), in units of the objective, below which the
    search ends, as estimated by the model of strategy `bayes` twice in a row."""
    gpu_hours: Annotated[float, Field(gt=0)] | None = None
    """GPU-hours of training, over all runs of the study, after which no new trial is proposed or
    started. A trial counts its seconds times its devices, divided by the trials that share a
    device."""
    cost_per_gpu_hour: Annotated[float, Field(gt=0)] | None = None
    """Price of a GPU-hour, in any currency."""
    money: Annotated[float, Field(gt=0)] | None = None
    """Budget for the trials, in that currency."""
    failures: Annotated[int, Field(ge=1)] | None = 5
    """Number of failed trials, with none succeeded, after which a run gives up; null: never."""

    @model_validator(mode="after")
    def _money_has_a_price(self) -> StoppingCriteria:
        if self.money is not None and self.cost_per_gpu_hour is None:
            raise ValueError("stop.money needs a price; set stop.cost_per_gpu_hour, too")
        return self


class Resources(Section):
    """Resources of a trial, and how many trials run at once."""

    engine: Literal["local", "ray"] = "local"
    """Where trials run: on this machine, or on the nodes of a Ray cluster that share the home
    directory (extra `dense[ray]`)."""
    address: Annotated[str, Field(pattern=r"^(auto|[A-Za-z0-9.-]+:[0-9]{1,5})$")] = "auto"
    """Address of the Ray cluster, `host:port`; `auto`: the cluster that this machine belongs to."""
    slots: Literal["auto"] | Annotated[int, Field(ge=1, le=1_024)] = "auto"
    """Concurrent trials on this machine, or on the whole Ray cluster; `auto`: cores divided by
    threads, or as many as fit on the GPUs."""
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    """CPU threads of one trial."""
    workers: Annotated[int, Field(ge=0, le=64)] = 0
    """Processes that load a trial's batches; 0 loads in the trial's own process, best for small
    data."""
    trial_seconds: Annotated[float, Field(gt=0)] = 600.0
    """Time limit of a trial in seconds of training, summed over its attempts."""
    hang_seconds: Annotated[float, Field(ge=1)] | None = 300.0
    """Seconds without a finished batch after which a trial is killed and retried; for a model that
    is fitted in one step (forest, boosting, SVM), seconds in which its process does no work."""
    devices: Annotated[int, Field(ge=1, le=1_024)] = 1
    """Processes that train one trial together, each on its own GPU, or on the CPU."""
    strategy: Literal["auto", "ddp", "fsdp"] = "auto"
    """Parallelism over devices: replicate the model (`ddp`) or shard it (`fsdp`); `auto` shards
    models that do not fit on one device."""
    gpu_share: Literal["auto"] | Annotated[int, Field(ge=1, le=64)] = 1
    """Concurrent trials on one GPU; `auto`: as many as fit, by the memory that a few steps of trial
    0 take. A trial that runs out of memory is retried with a GPU to itself."""
    weights: Annotated[int, Field(ge=0, le=100_000)] = 5
    """Number of best trials that keep their weights after they end."""
    disk_gib: Annotated[float, Field(gt=0)] | None = None
    """Limit in GiB for the checkpoints and weights of a study's idle trials: beyond it the worst
    paused trials lose their checkpoints, and start again if they are promoted."""

    @model_validator(mode="after")
    def _ray_shares_single_gpus_only(self) -> Resources:
        if self.engine == "ray" and self.devices > 1 and self.gpu_share != 1:
            raise ValueError(
                "on Ray a trial with several devices cannot share GPUs; set gpu_share: 1"
            )
        return self

    @property
    def share(self) -> int:
        """Concurrent trials on one GPU as far as known: 1 until memory was measured."""
        return 1 if self.gpu_share == "auto" else self.gpu_share


class ReportSettings(Section):
    """The report page of the study."""


class Tracking(Section):
    """Tracking in MLflow."""

    patience: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    """Seconds to wait at the end for an MLflow server that does not respond."""
