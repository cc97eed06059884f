"""Near duplicates: MinHash of texts, perceptual hash of images, nearest neighbours of table rows.

Hashes only propose candidates; each pair is then compared itself, so that a collision of two hashes
removes nothing. Source of MinHash: Broder, "On the resemblance and containment of documents",
doi:10.1109/SEQUEN.1997.666900; the implementations are datasketch's and imagehash's.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from conf.runtime.types import Floats, Ints
from conf.schema.clean import NearDuplicates
from data.sources.rows import CONTENT, Rows

SHINGLE = 4
PERMUTATIONS = 64
BLOCK = 1_000
FAR = 200.0
"""Larger than the logarithm of any float32."""
PIXELS_ALIKE = 0.06
"""Mean absolute difference of two near duplicates at most, as a share of the pixel range."""

Alike = Callable[[int, int], bool]


def near_duplicates(rows: Rows, near: NearDuplicates) -> Ints:
    """Index of the earlier row that each row nearly equals, or -1, of shape (rows,).

    The first row of a cluster is no duplicate.
    """
    if rows.kind == "image":
        return _first_alike(*_images(rows, near))
    if rows.kind == "table":
        return _first_alike(*_numbers(rows, near))
    return _first_alike(*_texts(rows, near))


def _first_alike(candidates: Iterator[list[int]], alike: Alike) -> Ints:
    """First earlier row that is alike; `candidates` yields those of each row in order."""
    first: list[int] = []
    for row, earlier in enumerate(candidates):
        same = (other for other in sorted(earlier) if first[other] < 0 and alike(row, other))
        first.append(next(same, -1))
    return np.array(first, dtype=np.int64)


def _texts(rows: Rows, near: NearDuplicates) -> tuple[Iterator[list[int]], Alike]:
    columns = [rows.strings(name) for name in CONTENT[rows.kind]]
    shingles = [shingled(" | ".join(texts)) for texts in zip(*columns, strict=True)]

    def candidates() -> Iterator[list[int]]:
        from datasketch import MinHash, MinHashLSH

        index = MinHashLSH(threshold=near.similarity, num_perm=PERMUTATIONS)
        encoded = ([piece.encode() for piece in pieces] for pieces in shingles)
        for row, sketch in enumerate(MinHash.generator(encoded, num_perm=PERMUTATIONS, seed=1)):
            yield index.query(sketch)
            index.insert(row, sketch, check_duplication=False)

    def alike(one: int, two: int) -> bool:
        common = len(shingles[one] & shingles[two])
        return common >= near.similarity * (len(shingles[one]) + len(shingles[two]) - common)

    return candidates(), alike


def shingled(text: str) -> frozenset[str]:
    """Shingles of four characters of a text, after NFKC, case folding and joining spaces."""
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return frozenset(plain[i : i + SHINGLE] for i in range(max(1, len(plain) - SHINGLE + 1)))


def _images(rows: Rows, near: NearDuplicates) -> tuple[Iterator[list[int]], Alike]:
    hashes = np.array([_perceptual(image) for block in rows.blocks() for image in block])

    def candidates() -> Iterator[list[int]]:
        # Hashes that differ in d bits are equal in at least one of d + 1 bands.
        tables: list[dict[int, list[int]]] = [defaultdict(list) for _ in range(near.distance + 1)]
        for row, value in enumerate(hashes):
            keys = _bands(int(value), near.distance + 1)
            earlier = {o for table, key in zip(tables, keys, strict=True) for o in table[key]}
            yield [o for o in earlier if (int(hashes[o]) ^ int(value)).bit_count() <= near.distance]
            for table, key in zip(tables, keys, strict=True):
                table[key].append(row)

    def alike(one: int, two: int) -> bool:
        first, second = (rows.images(row, row + 1).astype(np.float32) for row in (one, two))
        return float(np.abs(first - second).mean()) <= PIXELS_ALIKE * rows.high

    return candidates(), alike


def _numbers(rows: Rows, near: NearDuplicates) -> tuple[Iterator[list[int]], Alike]:
    """Rows whose numbers each differ by a share, which is a distance between logarithms."""

    def candidates() -> Iterator[list[int]]:
        from scipy.spatial import KDTree

        points = _logarithmic(rows.features().astype(np.float64))
        for place, name in enumerate(rows.names):
            if name in rows.categories:  # codes of categories have no distance
                points[:, place] = np.nan_to_num(rows.features()[:, place], nan=-1) * FAR
        tree, reach = KDTree(points), float(np.log1p(near.tolerance)) + 1e-9
        for first in range(0, len(points), BLOCK):
            found = tree.query_ball_point(points[first : first + BLOCK], reach, p=np.inf)
            for row, others in enumerate(found, start=first):
                yield [other for other in others if other < row]

    return candidates(), lambda _one, _two: True  # the tree has compared the rows themselves


def _logarithmic(values: Floats) -> Floats:
    """Signed logarithms; signs, zero and missing values are far from one another."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithm = np.log(np.abs(values)) + FAR
        signed = np.where(values == 0, 0.0, np.sign(values) * logarithm)
    return np.where(np.isnan(values), 10 * FAR, signed)


def _perceptual(image: npt.NDArray[np.uint8]) -> int:
    import imagehash
    from PIL import Image

    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    return int(str(imagehash.phash(picture)), 16)


def _bands(value: int, count: int) -> list[int]:
    """A hash of 64 bits, divided into bands."""
    edges = [64 * number // count for number in range(count + 1)]
    return [(value >> low) & ((1 << (high - low)) - 1) for low, high in pairwise(edges)]
