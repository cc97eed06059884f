"""What a trial is told (`spec.json`) and what it answers (`result.json`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from conf.runtime.atomic_write import write_durably
from conf.runtime.errors import DenseError
from conf.schema.study import TrialConfig
from tasks.train.engine.outcome import Cause

SPEC = "spec.json"
RESULT = "result.json"


class Document(BaseModel):
    """A frozen, closed JSON document."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TrialSpec(Document):
    """Everything one attempt at a trial is a function of. It names no test part."""

    study: str
    number: int
    attempt: Annotated[int, Field(ge=1)] = 1
    """Which attempt at this trial, counted from 1."""
    digest: str
    """Identity of the configuration."""
    config: TrialConfig
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    """Everything random in the trial follows from it."""
    train: str
    """Folder of the training part."""
    validation: str | None
    """Folder of the validation part; None when all rows are trained on."""
    also: tuple[str, ...] = ()
    """Further parts to train on: the validation part in the champion's final training."""
    card: str
    """File of the data card."""
    until: Annotated[int, Field(ge=1)]
    """Epoch at which to end: a rung, or the last."""
    threads: Annotated[int, Field(ge=1)] = 1
    """CPU threads of one process of the trial."""
    devices: Annotated[int, Field(ge=1)] = 1
    """Processes that train together, each on a device of its own."""
    strategy: Literal["auto", "ddp", "fsdp"] = "auto"
    """Whether each device has the whole model or a part of it."""
    workers: Annotated[int, Field(ge=0)] = 0
    """Processes that load the batches of one process of the trial."""
    gpu_share: Annotated[int, Field(ge=1)] = 1
    """Trials at once on one GPU."""
    gpus: tuple[str, ...] = ()
    """The GPUs to use, where a scheduler has chosen them; else they go with the slot."""
    halvings: Annotated[int, Field(ge=0, le=16)] = 0
    """How often the micro-batch was halved after running out of memory."""
    trial_seconds: Annotated[float, Field(gt=0)] = 600.0
    """Seconds that this attempt may take."""
    keep: Literal["best", "last"] = "best"
    """Which epoch's weights and predictions are saved; `last` also makes `until` the end."""
    begin: str | None = None
    """File of weights that a training saved, of this network or one as this but wider, to begin
    from; None: from new ones."""
    sparsity: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """With `begin`: share of the weights, the smallest, that are zero from then on."""
    teacher: str | None = None
    """Folder of a training whose model says what is to be learnt of each row; None: the targets."""
    temperature: Annotated[float, Field(ge=1)] = 1.0
    """With `teacher`: what both models' logits are divided by."""
    slots_dir: str = ""
    """Folder of this machine's slot locks; the engine fills it in."""
    slots: Annotated[int, Field(ge=0)] = 0
    """How many slots to choose from; 0 waits for none. The engine fills it in."""

    @property
    def parts(self) -> tuple[Path, ...]:
        """Folders of all parts that are trained on or validated with."""
        named = (self.train, *self.also, *([self.validation] if self.validation else []))
        return tuple(map(Path, named))

    @property
    def last_epoch(self) -> int:
        """Epoch after which the trial is complete rather than paused."""
        return self.until if self.keep == "last" else self.config.train.epochs

    def write(self, folder: Path) -> None:
        """Write `spec.json`; it follows from the journal, so that a power cut may take it."""
        write_durably(folder / SPEC, self.model_dump_json().encode(), sync="none")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read `spec.json`.

        Raises:
            DenseError: it is missing or not a specification.
        """
        try:
            return cls.model_validate_json((folder / SPEC).read_bytes())
        except (OSError, ValidationError) as error:
            raise DenseError(f"{folder / SPEC} cannot be read as a trial: {error}") from error


class FileFact(Document):
    """Size and hash of a file that a result vouches for."""

    size: int
    sha256: str


class Result(Document):
    """What an attempt achieved; it counts only for the `attempt` and `until` it names."""

    outcome: Literal["complete", "paused", "failed", "stopped"]
    cause: Cause | None = None
    message: str = ""
    refused: bool = False
    """What was given cannot be used: the message says all that there is to say."""
    attempt: int
    until: int
    epochs: int = 0
    """Finished epochs, over all attempts."""
    best_epoch: int | None = None
    value: float | None = None
    """Objective at the best epoch."""
    seconds: float = 0.0
    """Seconds of this attempt."""
    params_total: int = 0
    params_trainable: int = 0
    latency_ms: float | None = None
    """Milliseconds for one row, at a trial's end."""
    threads: int = 1
    slot: int | None = None
    peak_memory: int | None = None
    """Largest resident memory of the trial's own process, in bytes."""
    gpu_memory: int | None = None
    """Largest memory allocated on one device, in bytes; None on CPU."""
    gpu_held: int | None = None
    """Largest memory taken of one device, in bytes; None on CPU."""
    gpu_total: int | None = None
    """Memory of that device, in bytes."""
    files: dict[str, FileFact] = Field(default_factory=dict)
    """Path within the trial's folder to its size and hash."""
    warnings: tuple[str, ...] = ()

    def write(self, folder: Path) -> None:
        """Write `result.json` durably."""
        self.write_file(folder / RESULT)

    def write_file(self, path: Path) -> None:
        """Write it durably under a name of its own."""
        write_durably(path, self.model_dump_json().encode())

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """The result in a folder; None when there is none or it is not whole."""
        return cls.read_file(folder / RESULT)

    @classmethod
    def read_file(cls, path: Path) -> Self | None:
        """The result in a file; None when there is none or it is not whole."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return None

    def answers(self, attempt: int, until: int) -> bool:
        """Whether this result is the one of that attempt."""
        return self.attempt == attempt and self.until == until
