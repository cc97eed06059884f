"""The recipe `narrow`: structured pruning to the units with the largest norms, then fine-tuning.

Li et al., "Pruning Filters for Efficient ConvNets", 2016 (arXiv:1608.08710).
"""

from __future__ import annotations

from pathlib import Path

from conf.runtime.errors import BadInput
from conf.schema.champion import Compress
from conf.schema.model import Cnn, Mlp
from conf.schema.study import TrialConfig
from tasks.champion.training import RunTrial, train_or_raise
from tasks.compress.recipe_training import recipe_spec
from tasks.packaging.tradeoff import check_shrinks
from tasks.prepare import Prepared
from tasks.train.folder import TrialFolder
from tasks.train.spec import TrialSpec

MIN_WIDTH = {"cnn": 4, "mlp": 1}
"""Smallest `model.width` by model kind."""


def narrow_config(config: TrialConfig, prepared: Prepared, settings: Compress) -> TrialConfig:
    """The configuration of the narrower model.

    Raises:
        BadInput: the model has no width, or none that could be smaller.
    """
    check_shrinks(config, prepared.card)
    model = config.model
    if not isinstance(model, Cnn | Mlp) or (isinstance(model, Mlp) and model.depth == 0):
        raise BadInput(
            "the recipe narrow is for a cnn, or an mlp with hidden layers, and this champion is "
            f"{'an mlp without' if model.kind == 'mlp' else f'a {model.kind}'}; remove it from "
            "champion.compress.recipes"
        )
    width = max(MIN_WIDTH[model.kind], round(settings.keep * model.width))
    if width >= model.width:
        raise BadInput(
            f"the recipe narrow keeps {settings.keep:g} of model.width, which leaves {model.width} "
            "as it is; lower champion.compress.keep, or remove the recipe"
        )
    return config.model_copy(update={"model": model.model_copy(update={"width": width})})


def train_narrow(run: RunTrial, folder: Path, prepared: Prepared, settings: Compress) -> Path:
    """Narrow the model of a training and fine-tune it; a complete training is reused.

    Args:
        run: runs one attempt of a training.
        folder: of the training whose units are removed.
        prepared: its data.
        settings: `keep` is the share of the width that stays, `recover` the number of epochs.

    Returns:
        The folder of the fine-tuning.

    Raises:
        BadInput: the model has no width, or none that could be smaller.
        DenseError: the training failed.
    """
    whole = TrialSpec.read(folder)
    config = narrow_config(whole.config, prepared, settings)
    short = config.train.model_copy(update={"epochs": settings.recover})
    config = config.model_copy(update={"train": short})
    begin = str(TrialFolder(folder).weights)
    return train_or_raise(
        run,
        recipe_spec("narrow", whole, config, prepared, begin=begin),
        folder / f"narrow-{settings.keep:g}-{settings.recover}",
        problem=f"fine-tuning the narrowed model of {folder} failed",
        remedy="or remove the recipe",
    )
