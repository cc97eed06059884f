"""Decode images to pixels of one size and scale, or refuse them with a reason."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from PIL import Image, ImageOps

from conf.schema.clean import ImageRules
from conf.schema.data import WHITE, HubData, ImagesData
from data.sources.base import spill
from data.sources.rows import FixedListColumn, Report, Rows, chunks, fixed_list

BLOCK = 256
REASONS = ("unreadable", "too large", "out of range", "blank", "blurred", "low contrast")

BRIGHTEST = {"I": 65_535.0, "F": 1.0}
"""Value that is white, by Pillow's mode: integers of 16 bits (Pillow gives some as 32), floats."""

Pixels = npt.NDArray[np.uint8]


class OutOfRange(ValueError):
    """A pixel that the scale does not know: which brightness it has cannot be told."""


@dataclass(frozen=True)
class PixelScale:
    """How pixels of any type become bytes from 0 to 255, the same for every image of a source."""

    background: str | None = WHITE
    """Colour under transparent pixels; None ignores transparency."""
    brightest: float | None = None
    """Value that becomes 255; None: the type's own (`BRIGHTEST`)."""

    @classmethod
    def of(cls, data: ImagesData | HubData) -> PixelScale:
        """The scale of a source."""
        return cls(data.background, data.brightest)


PIXELS = PixelScale()


@dataclass(frozen=True)
class Entry:
    """One image of a source: its bytes (or the file that has them), label and group."""

    name: str
    content: bytes | Path
    label: str | None
    group: str | None = None


@dataclass
class Refused:
    """Names of the refused images, by reason."""

    found: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, name: str) -> None:
        """Count one."""
        self.found.setdefault(reason, []).append(name)

    def reports(self, read: int) -> tuple[Report, ...]:
        """One report for each reason, in the order of the checks."""
        out = []
        for reason in REASONS:
            names = self.found.get(reason, [])
            out.append(
                Report(f"images: {reason}", read, read - len(names), examples=tuple(names[:5]))
            )
            read -= len(names)
        return tuple(out)


def decode(
    content: bytes | Path, shape: tuple[int, ...], rules: ImageRules, scale: PixelScale = PIXELS
) -> Pixels | str:
    """Decode an image: upright, of one size, in grey or colour.

    The size is known from the file's first bytes, so a bomb is refused before it is unpacked.

    Args:
        content: the file, or its bytes.
        shape: (height, width, channels) of the result.
        rules: bounds of the size.
        scale: how pixels become bytes.

    Returns:
        uint8 of shape (height, width, channels), or the reason to refuse the image.
    """
    height, width, channels = shape
    try:
        with Image.open(io.BytesIO(content) if isinstance(content, bytes) else content) as image:
            if image.width * image.height > rules.pixels:
                return "too large"
            # Decodes a JPEG at a fraction of its size where that is still large enough.
            image.draft(None, (width, height))
            image.load()
            return resized(image, height, width, channels, scale)
    except Image.DecompressionBombError:
        return "too large"
    except OutOfRange:
        return "out of range"
    except (OSError, ValueError, SyntaxError, EOFError, IndexError):
        return "unreadable"


def resized(
    image: Image.Image, height: int, width: int, channels: int, scale: PixelScale = PIXELS
) -> Pixels:
    """An image upright, of one size, in grey or colour, as uint8 of (height, width, channels).

    Raises:
        OutOfRange: a pixel is below 0 or above the scale's brightest.
    """
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I") or upright.mode == "F":  # more than 8 bits a pixel
        upright = Image.fromarray(_as_bytes(upright, scale))
    if scale.background is not None and upright.has_transparency_data:
        under = Image.new("RGBA", upright.size, scale.background)
        upright = Image.alpha_composite(under, upright.convert("RGBA"))
    plain = upright.convert("L" if channels == 1 else "RGB")
    if plain.size != (width, height):
        plain = plain.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(plain, dtype=np.uint8).reshape(height, width, channels)


def _as_bytes(image: Image.Image, scale: PixelScale) -> Pixels:
    """Integers or floats by one fixed scale: never by an image's own maximum, which would make a
    dark image as bright as any other."""
    values = np.asarray(image, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("pixels that are no numbers")
    brightest = BRIGHTEST["F" if image.mode == "F" else "I"]
    brightest = brightest if scale.brightest is None else scale.brightest
    if values.min() < 0 or values.max() > brightest:
        raise OutOfRange(
            f"pixels from {values.min():g} to {values.max():g}, not 0 to {brightest:g}"
        )
    return np.rint(values * (255.0 / brightest)).astype(np.uint8)


def poor(pixels: Pixels, rules: ImageRules) -> str | None:
    """Reason to refuse an image for its quality; None where it is good."""
    if rules.blank and (pixels == pixels[0, 0]).all():
        return "blank"
    if not rules.sharpness and not rules.contrast:
        return None
    grey = pixels if pixels.shape[2] == 1 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    if rules.sharpness and cv2.Laplacian(grey, cv2.CV_64F).var() < rules.sharpness:
        return "blurred"
    return "low contrast" if rules.contrast and grey.std() < rules.contrast else None


def image_rows(
    entries: Iterable[Entry],
    shape: tuple[int, ...],
    rules: ImageRules,
    scratch: Path,
    *,
    classes: tuple[str, ...] = (),
    scale: PixelScale = PIXELS,
) -> Rows:
    """Decode all images, a block at a time, into a file that is mapped."""
    refused = Refused()
    kept: list[tuple[int, str | None, str | None]] = []
    read = 0

    def usable() -> Iterator[pa.RecordBatch]:
        nonlocal read
        for numbered in _decoded(entries, shape, rules, scale):
            pixels = []
            for entry, found in numbered:
                if isinstance(found, str):
                    refused.add(found, entry.name)
                else:
                    kept.append((read, entry.label, entry.group))
                    pixels.append(found.reshape(-1))
                read += 1
            if pixels:
                yield pa.RecordBatch.from_arrays([fixed_list(np.stack(pixels))], schema=schema)

    schema = pa.schema({"image": pa.list_(pa.uint8(), int(np.prod(shape)))})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is wrong with an image is counted
        table = spill(usable(), schema, scratch)
    columns = {
        "id": pa.array([number for number, _, _ in kept], type=pa.int64()),
        "label": pa.array([label for _, label, _ in kept], type=pa.string()),
        "place": pa.array(np.arange(len(kept))),
    }
    if any(group is not None for _, _, group in kept):
        columns["group"] = pa.array([group for _, _, group in kept], type=pa.string())
    pixels = FixedListColumn(chunks(table.column("image"))) if len(kept) else None
    return Rows(
        "image",
        pa.table(columns),
        shape=shape,
        classes=classes,
        pixels=pixels,
        reports=refused.reports(read),
        read=read,
    )


def _decoded(
    entries: Iterable[Entry], shape: tuple[int, ...], rules: ImageRules, scale: PixelScale
) -> Iterator[list[tuple[Entry, Pixels | str]]]:
    """Blocks of entries with their pixels or the reason against them, in order."""

    def one(entry: Entry) -> tuple[Entry, Pixels | str]:
        found = decode(entry.content, shape, rules, scale)
        return entry, found if isinstance(found, str) else poor(found, rules) or found

    stream = iter(entries)
    with ThreadPoolExecutor(2) as pool:  # decoding and scaling release the interpreter's lock
        while block := list(islice(stream, BLOCK)):
            yield list(pool.map(one, block))
