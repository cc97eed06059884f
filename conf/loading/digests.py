"""Digests of configurations: the identities of a study and of a trial, and derived seeds."""

from __future__ import annotations

import hashlib
import json

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


def canonical_json(value: object) -> str:
    """Canonical JSON: sorted keys, no whitespace, no NaN."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def sha256_text(text: str) -> str:
    """SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def trial_digest(config: TrialConfig) -> str:
    """Digest of a trial's configuration: SHA-256 of its canonical JSON."""
    return sha256_text(canonical_json(config.model_dump(mode="json")))


def study_identity(study: Study) -> dict[str, object]:
    """The settings that can change a trial, or the comparison of trials, as JSON."""
    identity = study.model_dump(mode="json", include=IDENTITY_FIELDS)  # type: ignore[arg-type]
    if not identity["search"]["learn_from"]:  # absent in studies of earlier versions
        del identity["search"]["learn_from"]
    if study.search.skopt in (None, SkoptSearch()):  # likewise; absent means the defaults
        del identity["search"]["skopt"]
    return identity


def study_digest(study: Study) -> str:
    """Digest of a study: SHA-256 of its identity."""
    return sha256_text(canonical_json(study_identity(study)))


def derived_seed(*parts: object) -> int:
    """A seed below 2**63: a hash of the parts, such as `(study.seed, number)` for a trial."""
    digest = hashlib.sha256(canonical_json([str(part) for part in parts]).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
