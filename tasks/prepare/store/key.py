"""The data key: which bytes, prepared how. A file is hashed once, then known by size and time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from conf.loading.digests import canonical_json, sha256_text
from conf.runtime.atomic_write import write_atomically
from conf.runtime.errors import BadInput
from conf.runtime.file_lock import FileLock
from conf.runtime.home import Home
from conf.schema.study import Study

PREPARE_VERSION = 3
"""Raised whenever the same source and settings would be prepared differently."""


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(files: Sequence[Path], pinned: str, home: Home) -> str:
    """One hash over the contents of the files, in their order, wherever they lie, and a pin.

    Raises:
        BadInput: a file is missing or cannot be read.
    """
    cache = home.data / "files.json"
    known: dict[str, list[str]] = json.loads(cache.read_text()) if cache.exists() else {}
    found: dict[str, list[str]] = {}
    digests = [pinned]
    for path in files:
        try:
            facts = path.stat()
            stamp = f"{facts.st_size}-{facts.st_mtime_ns}-{facts.st_ino}"
            entry = known.get(str(path))
            if entry is None or entry[0] != stamp:
                entry = found[str(path)] = [stamp, file_sha256(path)]
        except OSError as error:
            raise BadInput(
                f"data: {path} cannot be read ({error.strerror}); check the path"
            ) from error
        digests.append(entry[1])
    if found:
        _remember(cache, found)
    return sha256_text(canonical_json(digests))


def _remember(cache: Path, found: dict[str, list[str]]) -> None:
    """Add entries to the cache without losing those of a process that writes at the same time."""
    with FileLock.acquire(cache.with_name("files.lock")):
        known = json.loads(cache.read_text()) if cache.exists() else {}
        write_atomically(cache, json.dumps({**known, **found}))


def split_seed(study: Study) -> int:
    """The seed of the division: the split's own, else the study's."""
    return study.seed if study.split.seed is None else study.split.seed


def data_key(study: Study, source_fingerprint: str, privacy_mark: str = "") -> str:
    """Name of the prepared data: source bytes, settings, the split's seed, this code's version.

    `privacy_mark` tells pseudonyms of one secret key from those of another.
    """
    settings = study.model_dump(mode="json", include={"data", "clean", "split"})
    settings["split"]["seed"] = split_seed(study)
    settings["pseudonyms"] = privacy_mark
    identity = {"settings": settings, "source": source_fingerprint, "version": PREPARE_VERSION}
    return sha256_text(canonical_json(identity))[:32]
