"""What lies in a folder of images: its classes, and how large the images are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from PIL import Image

from conf.runtime.errors import BadInput
from data.sources.images import image_names

PROBES = 200
"""Images that are opened, evenly chosen."""
SPLIT_FOLDERS = {"train", "training", "test", "testing", "val", "valid", "validation", "dev"}
"""Folders that hold no class, where each has folders in it."""


@dataclass(frozen=True)
class Folder:
    """A folder of images."""

    path: Path
    names: tuple[str, ...]
    """Paths of the images inside it."""
    size: int
    """Median of their shorter sides, in pixels."""
    colours: bool
    """Whether some are in colour."""

    @property
    def classes(self) -> Counter[str]:
        """Images of each sub-folder."""
        return Counter(name.split("/")[0] for name in self.names if "/" in name)

    def lists(self) -> list[Path]:
        """Tables beside the images, which may say what they show."""
        return sorted(self.path.glob("*.csv"))


def read_folder(path: Path) -> Folder:
    """Look at a folder of images.

    Raises:
        BadInput: there are none in it.
    """
    names = sorted(image_names(str(path)))
    if not names:
        raise BadInput(
            f"{path} holds no images; name a folder with a sub-folder a class, or a .csv, .tsv, "
            ".parquet or .jsonl file"
        )
    parts = Counter(name.split("/")[0] for name in names)
    if set(map(str.lower, parts)) <= SPLIT_FOLDERS and any(name.count("/") > 1 for name in names):
        first = max(parts, key=lambda name: (name.lower().startswith("train"), parts[name]))
        raise BadInput(
            f"{path} holds parts ({', '.join(parts)}) and not classes; name one, whose images are "
            f"then divided anew: --data {path / first}"
        )
    sizes, colours = [], False
    for number in range(min(PROBES, len(names))):
        try:
            with Image.open(path / names[number * len(names) // min(PROBES, len(names))]) as image:
                sizes.append(min(image.size))
                colours |= image.mode not in ("1", "L", "LA", "I", "F", "I;16")
        except (OSError, ValueError, SyntaxError):
            continue  # `clean` drops and counts what cannot be read
    if not sizes:
        raise BadInput(f"{path}: none of its images can be read")
    return Folder(path, tuple(names), int(median(sizes)), colours)
