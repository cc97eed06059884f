"""The recipe `prune`: a training that begins from pruned weights, through the trial engine."""

from __future__ import annotations

from pathlib import Path

from conf.runtime.errors import BadInput
from conf.schema.champion import Compress
from tasks.champion.training import RunTrial, trained
from tasks.compress.anew import anew
from tasks.packaging.tradeoff import check_shrinks
from tasks.prepare import Prepared
from tasks.train.folder import TrialFolder
from tasks.train.spec import TrialSpec


def pruned(run: RunTrial, folder: Path, prepared: Prepared, settings: Compress) -> Path:
    """The folder of a training that goes on from another's pruned weights; found if it is there.

    Args:
        run: the trial engine's `run`.
        folder: of the training whose weights are pruned.
        prepared: its data.
        settings: how many are taken away, and how long the others are trained on.

    Raises:
        BadInput: the model is no network, or was not trained whole.
        DenseError: the training did not come to its end.
    """
    spec = recovery(TrialSpec.read(folder), TrialFolder(folder).weights, prepared, settings)
    return trained(
        run,
        spec,
        folder / f"pruned-{settings.sparsity:g}-{settings.recover}",
        trouble=f"what pruning left of {folder} could not be trained on",
        remedy="or leave the recipe out",
    )


def recovery(whole: TrialSpec, weights: Path, prepared: Prepared, settings: Compress) -> TrialSpec:
    """What the engine is told: the same rows and settings, a few epochs, no validation."""
    check_shrinks(whole.config, prepared.card)
    model = whole.config.model
    tune = getattr(model, "tune", "full")
    if "prune" not in model.capabilities.recipes or tune != "full":
        how = model.kind if tune == "full" else tune
        raise BadInput(
            f"the recipe prune is for models that are trained whole, and of this one only a part "
            f"was ({how}); leave it out of champion.compress.recipes"
        )
    short = whole.config.train.model_copy(update={"epochs": settings.recover})
    config = whole.config.model_copy(update={"train": short})
    begin = {"begin": str(weights), "sparsity": settings.sparsity}
    return anew("prune", whole, config, prepared, **begin)
