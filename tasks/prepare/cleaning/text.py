"""Cleaning rules for texts: length, language, and texts that were read in a wrong encoding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from conf.runtime.types import Bools, Ints
from conf.schema.clean import Clean
from data.sources.rows import CONTENT, Report, Rows, describe, drop

# Letters that UTF-8 bytes become when they are read as Latin-1 or Windows-1252.
TELLING = frozenset("ÃÂâÐÑØÙåäæçèéï€™œ")
CERTAIN = 0.9
SHORTEST_FOR_LANGUAGE = 20


def mended(text: str) -> str | None:
    """A text as it was before it was read in a wrong encoding; None where that cannot be undone."""
    if "\ufffd" in text:
        return None
    if not TELLING.intersection(text):
        return text
    for encoding in ("cp1252", "latin-1"):
        try:
            return text.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
    return text


def mend_encoding(rows: Rows, clean: Clean) -> tuple[Rows, Report]:
    """Undo wrong encodings where possible; drop the rows where it is not."""
    bad = np.zeros(len(rows), dtype=bool)
    changed = np.zeros(len(rows), dtype=bool)
    if clean.text.encoding == "keep":
        return rows, Report("wrong encoding", len(rows), len(rows))
    for name in CONTENT[rows.kind]:
        texts = rows.strings(name)
        found = [mended(text) for text in texts]
        wrong = np.array([new != old for new, old in zip(found, texts, strict=True)], dtype=bool)
        lost = np.array([new is None for new in found], dtype=bool)
        bad |= lost if clean.text.encoding == "mend" else wrong
        changed |= wrong & ~lost
        if clean.text.encoding == "mend":
            kept = [old if new is None else new for new, old in zip(found, texts, strict=True)]
            rows = rows.put(name, pa.array(kept, type=pa.string()))
    kept_rows, report = drop(rows, bad, "wrong encoding", "its encoding cannot be undone")
    mends = int((changed & ~bad).sum())
    examples = describe(rows, changed & ~bad, "read in a wrong encoding, mended")
    return kept_rows, replace(report, changed=mends, examples=(*report.examples, *examples)[:5])


def drop_lengths(rows: Rows, clean: Clean) -> tuple[Rows, Report]:
    """Texts that are empty, too short or too long; pairs whose sides differ too much."""
    mask = np.zeros(len(rows), dtype=bool)
    lengths = [_lengths(rows.strings(name)) for name in CONTENT[rows.kind]]
    for one in lengths:
        mask |= (one < max(1, clean.text.shortest)) | (one > clean.text.longest)
    if len(lengths) == 2:
        longer, shorter = np.maximum(*lengths), np.maximum(np.minimum(*lengths), 1)
        mask |= longer > clean.text.ratio * shorter
    return drop(rows, mask, "length", "too short, too long, or its sides are too unlike")


def _lengths(texts: npt.NDArray[np.object_]) -> Ints:
    return np.array([len(text.strip()) for text in texts], dtype=np.int64)


def drop_languages(rows: Rows, clean: Clean) -> tuple[Rows, Report]:
    """Texts that are, for certain, in none of the languages; short ones are given the doubt.

    Of a pair both sides are looked at.
    """
    if not clean.text.languages:
        return rows, Report("language", len(rows), len(rows))
    mask = np.zeros(len(rows), dtype=bool)
    for name in CONTENT[rows.kind]:
        mask |= _foreign(rows.strings(name), clean.text.languages)
    return drop(rows, mask, "language", f"not in {', '.join(clean.text.languages)}")


def _foreign(texts: npt.NDArray[np.object_], languages: tuple[str, ...]) -> Bools:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    found = [
        identifier.classify(text) if len(text) >= SHORTEST_FOR_LANGUAGE else (languages[0], 0.0)
        for text in texts
    ]
    return np.array([name not in languages and sure >= CERTAIN for name, sure in found], dtype=bool)
