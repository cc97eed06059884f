"""What the recipes that train have in common."""

from __future__ import annotations

from typing import Any

from conf.loading.digests import derived_seed, trial_digest
from conf.runtime.errors import BadInput
from conf.schema.study import TrialConfig
from tasks.prepare import Prepared
from tasks.train.spec import TrialSpec


def anew(
    recipe: str, whole: TrialSpec, config: TrialConfig, prepared: Prepared, **changes: Any
) -> TrialSpec:
    """What the engine is told: another training's rows, to the configuration's last epoch, no
    validation.

    Args:
        recipe: whose training it is.
        whole: the other training.
        config: what is trained.
        prepared: the data.
        changes: of other fields.

    Raises:
        BadInput: the rows are private.
    """
    if whole.config.train.privacy or config.train.privacy:
        raise BadInput(
            f"the recipe {recipe} trains on the rows once more, which the epsilon of "
            "train.privacy does not count; leave it out of champion.compress.recipes"
        )
    endless = config.train.model_copy(update={"patience": None})
    config = config.model_copy(update={"train": endless})
    common = {
        "attempt": 1,
        "config": config,
        "digest": trial_digest(config),
        "seed": derived_seed(whole.seed, recipe),
        "train": str(prepared.train),
        "also": (str(prepared.validation),) if whole.also else (),
        "validation": None,
        "card": str(prepared.card_path),
        "until": config.train.epochs,
        "keep": "last",
        "devices": 1,  # masks are of whole layers, and students are small
    }
    return whole.model_copy(update={**common, **changes})
