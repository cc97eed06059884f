"""The interface of the packers, which write the served form of a trained model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from conf.schema.base import Recipe
from data.card import DataCard
from tasks.packaging.package import ModelFiles
from tasks.packaging.raw_rows import read_rows
from tasks.packaging.records import Candidate, EnsembleMember
from tasks.train.folder import TrialFolder

if TYPE_CHECKING:
    from tasks.packaging.table_frame import RawValues

EXAMPLES = 3  # rows of the input example; a batch of one would look like a fixed size


@dataclass(frozen=True)
class PackJob:
    """A trained model to be packed, and the data it was trained on."""

    candidate: Candidate
    folder: Path
    """Of the training whose weights are packed."""
    card: DataCard
    """The data set card."""
    train: Path
    """The train split: source of the input example."""
    recipe: Recipe | None = None
    """Of the compression to apply."""
    members: tuple[EnsembleMember, ...] = ()
    """Of an ensemble; their folders hold the weights."""

    @property
    def splits(self) -> Path:
        """The folder of the prepared splits, with the encodings fitted on them."""
        return self.train.parent

    @property
    def weights(self) -> Path:
        """The weights of the training."""
        return TrialFolder(self.folder).weights

    def example(self) -> RawValues:
        """A few raw rows of the train split."""
        values: RawValues = read_rows(self.train, self.card.inputs).values[:EXAMPLES]
        return values


class Packer(Protocol):
    """Writes the files that serve one family of models.

    The life of a packer, in call order (`tasks.packaging.pack.pack` makes all the calls):

    1. `packer_of(job)` chooses and constructs it, once per model; it has no state.
    2. `files(job, scratch)` loads the trained model and writes what serves it into `scratch`, an
       empty folder. It returns the artifacts, which may also lie elsewhere, the stand-alone code
       that reads them, the signature, an example and the requirements.
    3. `save_model` copies code and artifacts into the model folder and runs the example once.
    4. `scratch` is removed; the first artifact that matches `ModelFiles.weights` identifies the
       trained weights.

    The code is one of the `pyfunc_*` modules. It must import nothing of this project, since a
    registered model is loaded where the project is not installed.
    """

    def files(self, job: PackJob, scratch: Path) -> ModelFiles:
        """Write the files of a model folder.

        Args:
            job: the trained model.
            scratch: an empty folder, removed after the model folder has been written.

        Raises:
            BadInput: the recipe is not for this model.
            DenseError: the weights are missing or do not fit the network.
        """
        ...
