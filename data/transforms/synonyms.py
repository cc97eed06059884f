"""Synonyms: Moby's thesaurus for English, Cilin for Chinese, both fetched as assets."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from conf.runtime.errors import DenseError
from conf.schema.augment import Augment
from data.assets.catalogue import ARCHIVES

MOST = 12
"""Synonyms kept for a word: a thesaurus of loose senses names a hundred."""
ASSET = {"en": "thesaurus", "zh": "cilin"}


def synonyms(augment: Augment, assets: Path, known: Collection[str]) -> dict[str, list[str]]:
    """Synonyms of the known words that are known words themselves: those the model has seen.

    Raises:
        DenseError: the thesaurus is not there; preparing the data fetches it.
    """
    if augment.synonyms is None:
        return {}
    language = augment.synonyms.language
    folder = assets / ARCHIVES[ASSET[language]].folder
    if not folder.is_dir():
        raise DenseError(f"the thesaurus is not in {folder}; run the study again to fetch it")
    return _english(folder, known) if language == "en" else _chinese(folder)


def _english(folder: Path, known: Collection[str]) -> dict[str, list[str]]:
    """A line: a word and its synonyms, with commas between."""
    out = {}
    with next(folder.rglob("words.txt")).open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            word, *others = line.strip().split(",")
            if word in known:
                out[word] = [other for other in others if other in known][:MOST]
    return {word: others for word, others in out.items() if others}


def _chinese(folder: Path) -> dict[str, list[str]]:
    """A line: a code and words; a code that ends in `=` says that they mean the same."""
    out: dict[str, list[str]] = {}
    with next(folder.rglob("同义词.txt")).open(encoding="utf-8") as lines:
        for line in lines:
            code, *words = line.split()
            if code.endswith("="):
                for word in words:
                    others = [other for other in words if other != word][:MOST]
                    if len(word) > 1 and others:
                        out.setdefault(word, others)
    return out
