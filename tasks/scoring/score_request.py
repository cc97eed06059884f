"""The request and the reply of the process that packs final models and scores them."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from conf.schema.base import Recipe
from tasks.packaging.records import Candidate, EnsembleMember, FinalScore

SCORE = "score.json"
PACKAGE = "model"
TEST = "test"
VALIDATION = "validation"


class ReferenceRequest(BaseModel):
    """The rows and predictions that new data will be compared with; never the test split's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    splits: tuple[Path, ...]
    """Whose rows are sampled."""
    trial: Path
    """Folder with predictions on the validation split by a model that was not trained on it."""


class ScoreRequest(BaseModel):
    """One final model: what to pack, and the rows on which to score the package."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    candidate: Candidate
    folder: Path
    """Of the training whose weights are packed."""
    out: Path
    """Receives `model/`, `test/` and `score.json`."""
    card: Path
    """The data set card."""
    train: Path
    """The train split; its parent is the folder of the prepared splits."""
    test: Path
    """The split that the package is scored on."""
    recipe: Recipe | None = None
    """Of the compression to apply."""
    members: tuple[EnsembleMember, ...] = ()
    """Of an ensemble."""
    reference: ReferenceRequest | None = None
    """What is written as the drift reference, if any."""
    explain: int = 0
    """Number of right and of wrong predictions to explain."""


class ScoreBatch(BaseModel):
    """Several final models, scored in one process, by a name of each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests: dict[str, ScoreRequest]


class ScoreReply(BaseModel):
    """The score of each request of a batch, by its name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scores: dict[str, FinalScore]
