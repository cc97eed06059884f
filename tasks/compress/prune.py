"""The recipe `prune`: magnitude pruning of the weights, then a few epochs of fine-tuning.

Han et al., "Learning both Weights and Connections for Efficient Neural Networks", 2015
(arXiv:1506.02626).
"""

from __future__ import annotations

from pathlib import Path

from conf.runtime.errors import BadInput
from conf.schema.champion import Compress
from tasks.champion.training import RunTrial, train_or_raise
from tasks.compress.recipe_training import recipe_spec
from tasks.packaging.tradeoff import check_shrinks
from tasks.prepare import Prepared
from tasks.train.folder import TrialFolder
from tasks.train.spec import TrialSpec


def train_pruned(run: RunTrial, folder: Path, prepared: Prepared, settings: Compress) -> Path:
    """Prune the weights of a training and fine-tune the rest; a complete training is reused.

    Args:
        run: runs one attempt of a training.
        folder: of the training whose weights are pruned.
        prepared: its data.
        settings: `sparsity` is the share of weights set to zero, `recover` the number of epochs.

    Returns:
        The folder of the fine-tuning.

    Raises:
        BadInput: the model is not a network, or only a part of it was trained.
        DenseError: the training failed.
    """
    spec = pruning_spec(TrialSpec.read(folder), TrialFolder(folder).weights, prepared, settings)
    return train_or_raise(
        run,
        spec,
        folder / f"pruned-{settings.sparsity:g}-{settings.recover}",
        problem=f"fine-tuning the pruned model of {folder} failed",
        remedy="or remove the recipe",
    )


def pruning_spec(
    whole: TrialSpec, weights: Path, prepared: Prepared, settings: Compress
) -> TrialSpec:
    """Spec of the fine-tuning: the same rows and configuration for `settings.recover` epochs.

    Raises:
        BadInput: the model is not a network, or only a part of it was trained.
    """
    check_shrinks(whole.config, prepared.card)
    model = whole.config.model
    tune = getattr(model, "tune", "full")
    if "prune" not in model.capabilities.recipes or tune != "full":
        how = model.kind if tune == "full" else tune
        raise BadInput(
            f"the recipe prune is for fully trained models, and of this one only a part was "
            f"trained ({how}); remove it from champion.compress.recipes"
        )
    short = whole.config.train.model_copy(update={"epochs": settings.recover})
    config = whole.config.model_copy(update={"train": short})
    begin = {"begin": str(weights), "sparsity": settings.sparsity}
    return recipe_spec("prune", whole, config, prepared, **begin)
