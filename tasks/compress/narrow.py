"""The recipe `narrow`: a training that begins from another's strongest units, and has no others."""

from __future__ import annotations

from pathlib import Path

from conf.runtime.errors import BadInput
from conf.schema.champion import Compress
from conf.schema.model import Cnn, Mlp
from conf.schema.study import TrialConfig
from tasks.champion.training import RunTrial, trained
from tasks.compress.anew import anew
from tasks.packaging.tradeoff import check_shrinks
from tasks.prepare import Prepared
from tasks.train.folder import TrialFolder
from tasks.train.spec import TrialSpec

LEAST = {"cnn": 4, "mlp": 1}
"""Smallest `model.width`."""


def thin(config: TrialConfig, prepared: Prepared, settings: Compress) -> TrialConfig:
    """The configuration of the narrower model.

    Raises:
        BadInput: the model has no width that could be less.
    """
    check_shrinks(config, prepared.card)
    model = config.model
    if not isinstance(model, Cnn | Mlp) or (isinstance(model, Mlp) and model.depth == 0):
        raise BadInput(
            "the recipe narrow is for a cnn, or an mlp with hidden layers, and this champion is "
            f"{'an mlp without' if model.kind == 'mlp' else f'a {model.kind}'}; leave it out of "
            "champion.compress.recipes"
        )
    width = max(LEAST[model.kind], round(settings.keep * model.width))
    if width >= model.width:
        raise BadInput(
            f"the recipe narrow keeps {settings.keep:g} of model.width, and of {model.width} that "
            "is all; lower champion.compress.keep, or leave the recipe out"
        )
    return config.model_copy(update={"model": model.model_copy(update={"width": width})})


def narrowed(run: RunTrial, folder: Path, prepared: Prepared, settings: Compress) -> Path:
    """The folder of a narrower training that goes on from another's weights; found if it is there.

    Args:
        run: the trial engine's `run`.
        folder: of the training whose units are taken out.
        prepared: its data.
        settings: how many are kept, and how long they are trained on.

    Raises:
        BadInput: the model has no width that could be less.
        DenseError: the training did not come to its end.
    """
    whole = TrialSpec.read(folder)
    config = thin(whole.config, prepared, settings)
    short = config.train.model_copy(update={"epochs": settings.recover})
    config = config.model_copy(update={"train": short})
    begin = str(TrialFolder(folder).weights)
    return trained(
        run,
        anew("narrow", whole, config, prepared, begin=begin),
        folder / f"narrow-{settings.keep:g}-{settings.recover}",
        trouble=f"what is left of {folder} could not be trained on",
        remedy="or leave the recipe out",
    )
