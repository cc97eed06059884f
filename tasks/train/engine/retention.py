"""Which files of trials that have ended stay: disk use is bounded by policy, not by luck."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tasks.train.folder import TrialFolder
from tasks.train.spec import Result


def keep_weights(best_first: Sequence[TrialFolder], keep: int) -> list[Path]:
    """Remove the weights and checkpoints of ended trials beyond the best `keep`.

    A trial that is paused or unfinished keeps all it needs to go on, wherever it stands; curve,
    predictions and result always stay.

    Returns:
        The files that were removed.
    """
    removed: list[Path] = []
    for place, folder in enumerate(best_first):
        if not has_ended(folder):
            continue
        for path in state_files(folder):
            if path == folder.learnt and place < keep:
                continue
            path.unlink(missing_ok=True)
            removed.append(path)
    return removed


def keep_within(best_first: Sequence[TrialFolder], most: float) -> list[Path]:
    """Remove checkpoints and weights of the worst trials until the rest take at most so many bytes.

    A paused trial without its checkpoints begins again if it is promoted, and comes to the same
    values. Of a trial that runs nothing may be removed: it is not to be among these.

    Returns:
        The files that were removed.
    """
    removed: list[Path] = []
    used = disk_use(best_first)
    for folder in reversed(best_first):
        if used <= most:
            break
        files = state_files(folder)
        used -= sum(path.stat().st_size for path in files)
        for path in files:
            path.unlink(missing_ok=True)
        removed += files
    return removed


def has_ended(folder: TrialFolder) -> bool:
    """Whether the last result is a trial's end: nothing will be continued from here."""
    result = Result.read(folder.path)
    return result is not None and result.outcome in ("complete", "stopped")


def state_files(folder: TrialFolder) -> list[Path]:
    """Checkpoints and weights."""
    if not folder.checkpoints.is_dir():
        return []
    return sorted(path for path in folder.checkpoints.iterdir() if path.is_file())


def disk_use(folders: Iterable[TrialFolder]) -> int:
    """Bytes that trials' checkpoints and weights take."""
    return sum(path.stat().st_size for folder in folders for path in state_files(folder))
