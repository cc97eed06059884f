"""Checkpoints: written durably, the last two kept, the newest that loads continued from."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from conf.runtime.atomic_write import Background, write_durably
from tasks.train.trial.progress import Progress

KEPT = 2
SUFFIX = ".ckpt"
PROGRESS = "dense_progress"


def checkpoint_path(folder: Path, epoch: int) -> Path:
    """Where the checkpoint of an epoch (counted from 1) lies."""
    return folder / f"{epoch:06d}{SUFFIX}"


def newest_first(folder: Path) -> list[Path]:
    """All checkpoints of a trial."""
    return sorted(folder.glob(f"*{SUFFIX}"), reverse=True)


def prune(folder: Path, keep: int = KEPT) -> None:
    """Remove all but the newest checkpoints."""
    for path in newest_first(folder)[keep:]:
        path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Restored:
    """Where a trial goes on."""

    path: Path | None = None
    """The checkpoint; None at epoch 0."""
    content: dict[str, Any] | None = None
    progress: Progress = field(default_factory=Progress)
    warnings: tuple[str, ...] = ()


def restore(folder: Path) -> Restored:
    """The newest checkpoint that loads; one that does not is passed over with a warning."""
    warnings: list[str] = []
    for path in newest_first(folder):
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            progress = Progress.from_state(content[PROGRESS])
        except Exception as error:
            warnings.append(f"checkpoint {path.name} does not load ({type(error).__name__})")
            continue
        return Restored(path, content, progress, tuple(warnings))
    return Restored(warnings=tuple(warnings))


class DurableCheckpointIO(TorchCheckpointIO):
    """Lightning's checkpoint files, written and synced in the background.

    The content of the checkpoint that is continued from was read already; it is handed out once.
    """

    def __init__(self, restored: Restored, background: Background) -> None:
        self._restored: Restored | None = restored
        self._background = background

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Take the checkpoint as it is now; it gets its name when it is on disk."""
        content = io.BytesIO()
        torch.save(checkpoint, content)
        view = content.getbuffer()
        self._background.submit(lambda: write_durably(Path(path), view))

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Callable[..., Any] | None = None,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """The content read by `restore`, or the file's."""
        restored, self._restored = self._restored, None
        if restored is not None and restored.content is not None and restored.path == Path(path):
            return restored.content
        return super().load_checkpoint(path, map_location, weights_only=True)
