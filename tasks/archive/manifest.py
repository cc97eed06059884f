"""What an archive says of itself: its first member, `manifest.json`."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from conf.schema.search import StudyName

MANIFEST = "manifest.json"
FORMAT = 1
LARGEST = 256 * 2**20  # bytes of a manifest; one of a million files is below it


class ArchiveRecord(BaseModel):
    """Frozen and closed: what is written is what is read."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Packed(ArchiveRecord):
    """One file of the archive."""

    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Manifest(ArchiveRecord):
    """Everything that the archive holds; what is not named here is not unpacked."""

    format: int = FORMAT
    study: StudyName
    home: str
    """Path of the home that it comes from: what names files there is told the new home's."""
    data: Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")] | None
    """Key of the prepared data that the study began with."""
    with_data: bool
    """Whether the prepared data is inside."""
    environment: dict[str, str]
    """Versions, machine and processor where it was packed."""
    files: dict[str, Packed]
    """Path relative to a home to size and hash."""


def fits(path: str, manifest: Manifest) -> bool:
    """Whether a file may be written to this place of a home: below the study's own folders only."""
    inner = PurePosixPath(path)
    if inner.is_absolute() or "\\" in path or "\0" in path or str(inner) != path:
        return False
    if any(part in ("..", ".") for part in inner.parts):
        return False
    if inner == PurePosixPath("reports", f"{manifest.study}.html"):
        return True
    own = [("studies", manifest.study), ("trials", manifest.study)]
    if manifest.with_data and manifest.data:
        own.append(("data", manifest.data))
    return len(inner.parts) > 2 and inner.parts[:2] in own
