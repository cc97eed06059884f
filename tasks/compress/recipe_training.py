"""The training spec that the recipes prune, narrow and distill start from."""

from __future__ import annotations

from typing import Any

from conf.loading.digests import derived_seed, trial_digest
from conf.runtime.errors import BadInput
from conf.schema.study import TrialConfig
from tasks.prepare import Prepared
from tasks.train.spec import TrialSpec


def recipe_spec(
    recipe: str, whole: TrialSpec, config: TrialConfig, prepared: Prepared, **changes: Any
) -> TrialSpec:
    """Spec of a recipe's training: the rows of another training, all epochs, no validation.

    Args:
        recipe: name of the recipe.
        whole: spec of the uncompressed model's training.
        config: configuration to train.
        prepared: the data.
        changes: other fields of the spec.

    Raises:
        BadInput: the model is trained with differential privacy.
    """
    if whole.config.train.privacy or config.train.privacy:
        raise BadInput(
            f"the recipe {recipe} trains on the rows once more, which the epsilon of "
            "train.privacy does not account for; remove it from champion.compress.recipes"
        )
    without_patience = config.train.model_copy(update={"patience": None})
    config = config.model_copy(update={"train": without_patience})
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
        "devices": 1,  # pruning masks need whole layers, and small models need no more
    }
    return whole.model_copy(update={**common, **changes})
