"""Small data of every kind, made up."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

WORDS = ["the", "good", "bad", "film", "story", "actor", "never", "always", "plot", "dull"]


def sentence(chance: random.Random, many: int) -> str:
    """So many words."""
    return " ".join(chance.choices(WORDS, k=many))


def table(folder: Path, between: str = ",") -> Path:
    """Numbers, a number a row, a word, holes, and three classes at the end."""
    chance = random.Random(0)
    lines = [between.join(("id", "size", "weight", "maker", "kind"))]
    for number in range(60):
        size = f"{chance.gauss(number % 3, 1):.3f}" if number % 10 else ""
        weight = f"{chance.random():.3f}"
        lines.append(
            between.join((str(number), size, weight, "abc"[number % 2], "xyz"[number % 3]))
        )
    file = folder / "table.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def numbers(folder: Path) -> Path:
    """Numbers, the last of which follows from the others."""
    chance = random.Random(1)
    rows = [(chance.gauss(0, 1), chance.gauss(0, 1)) for _ in range(80)]
    file = folder / "numbers.tsv"
    lines = [f"{a:.4f}\t{b:.4f}\t{2 * a - b + chance.gauss(0, 0.1):.4f}" for a, b in rows]
    file.write_text("\n".join(["a\tb\tprice", *lines]) + "\n", encoding="utf-8")
    return file


def texts(folder: Path) -> Path:
    """Texts with a label, the label first."""
    chance = random.Random(2)
    rows = [
        {"sentiment": chance.choice(["pos", "neg"]), "review": f"{sentence(chance, 9)} {number}"}
        for number in range(60)
    ]
    file = folder / "texts.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    return file


def topics(folder: Path, kind: str = "csv") -> Path:
    """Texts with any number of topics, with blanks about the mark between them, or lists."""
    chance = random.Random(5)
    rows = []
    for number in range(80):
        names = [name for name in ("sport", "war", "arts") if chance.random() < 0.5]
        names += ["odd"] * (number == 0)
        rows.append((f"{sentence(chance, 9)} {number}", names))
    file = folder / f"topics.{kind}"
    if kind == "csv":
        lines = [f"{text},{'; '.join(names)}" for text, names in rows]
        file.write_text("\n".join(["story,tags", *lines]) + "\n", encoding="utf-8")
    elif kind == "jsonl":
        lines = [json.dumps({"story": text, "tags": names}) for text, names in rows]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    else:
        columns = {"story": [text for text, _ in rows], "tags": [names for _, names in rows]}
        pq.write_table(pa.table(columns), file)
    return file


def pairs(folder: Path) -> Path:
    """Pairs without a header."""
    chance = random.Random(3)
    lines = [f"{sentence(chance, 5)} {n}\t{sentence(chance, 5)}" for n in range(60)]
    file = folder / "pairs.tsv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def images(folder: Path, size: int = 12) -> Path:
    """A folder a class."""
    chance = np.random.default_rng(4)
    for number, name in enumerate(("cat", "dog")):
        (folder / "images" / name).mkdir(parents=True)
        for index in range(12):
            pixels = chance.integers(0, 100, (size, size)) + 100 * number
            picture = Image.fromarray(pixels.astype(np.uint8))
            picture.save(folder / "images" / name / f"{index}.png")
    return folder / "images"


MAKERS: dict[str, Callable[[Path], Path]] = {
    "table": table, "texts": texts, "topics": topics, "pairs": pairs, "images": images,
}  # fmt: skip
