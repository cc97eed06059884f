"""A trial's specification, as tests want it."""

from __future__ import annotations

from typing import Any

from conf.loading.digests import derived_seed, trial_digest
from conf.schema.study import TrialConfig
from tasks.prepare import Prepared
from tasks.train.spec import TrialSpec


def spec_of(
    config: TrialConfig, prepared: Prepared, study: str = "none", number: int = 0, **fields: Any
) -> TrialSpec:
    """To the configuration's last epoch on the prepared data; keywords replace fields."""
    given = {
        "study": study,
        "number": number,
        "digest": trial_digest(config),
        "config": config,
        "seed": derived_seed(0, number),
        "train": str(prepared.train),
        "validation": str(prepared.validation),
        "card": str(prepared.card_path),
        "until": config.train.epochs,
    }
    return TrialSpec.model_validate({**given, **fields})
