"""Hashes that say when two configurations are the same."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from conf.schema.search import SkoptSearch
from conf.schema.study import Study, TrialConfig

IDENTITY_FIELDS = {
    "name": True,
    "seed": True,
    "data": True,
    "clean": True,
    "split": True,
    "augment": True,
    "model": True,
    "train": True,
    "evaluate": True,
    "search": {"space", "constraints", "strategy", "rungs", "learn_from", "skopt"},
}


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces; one text for one value."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def sha256_text(text: str) -> str:
    """Hexadecimal SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def trial_digest(config: TrialConfig) -> str:
    """Identity of a trial's configuration: its canonical JSON, hashed."""
    return sha256_text(canonical_json(config.model_dump(mode="json")))


def study_identity(study: Study) -> dict[str, Any]:
    """What could change a trial of the study or the comparison between trials."""
    identity = study.model_dump(mode="json", include=IDENTITY_FIELDS)  # type: ignore[arg-type]
    if not identity["search"]["learn_from"]:  # a study of before there was such a thing is the same
        del identity["search"]["learn_from"]
    if study.search.skopt in (None, SkoptSearch()):  # likewise; absent and the defaults are one
        del identity["search"]["skopt"]
    return identity


def study_digest(study: Study) -> str:
    """Identity of a study."""
    return sha256_text(canonical_json(study_identity(study)))


def derived_seed(*parts: object) -> int:
    """A seed below 2**63 that is a function of the parts alone.

    The trial seed is `derived_seed(study.seed, number)`.
    """
    digest = hashlib.sha256(canonical_json([str(part) for part in parts]).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
