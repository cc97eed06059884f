"""What trials keep on the disk: weights of the best, checkpoints that somebody continues."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from conf.schema.run import Resources
from tasks.study.state import State
from tasks.train.engine.retention import disk_use, keep_weights, keep_within
from tasks.train.folder import TrialFolder

Folder = Callable[[int], Path]
"""Where the files of a trial are, by its number."""

STILL = ("complete", "paused", "stopped", "failed")
"""Of trials that neither run nor wait to go on."""


def tidy(state: State, folder: Folder, resources: Resources) -> int:
    """Remove the weights of all ended trials but the best, and the checkpoints of all that no one
    continues; the bytes that the rest take."""
    failed = [trial.number for trial in state.trials if trial.status == "failed"]
    keep_within([TrialFolder(folder(number)) for number in failed], 0)
    kept = best_first(state, folder)
    keep_weights(kept, resources.weights)
    bound(state, folder, resources)
    return disk_use(kept)


def bound(state: State, folder: Folder, resources: Resources) -> None:
    """Keep within `resources.disk_gib` what is not running."""
    if (most := resources.disk_gib) is not None:
        keep_within(best_first(state, folder), most * 2**30)


def best_first(state: State, folder: Folder) -> list[TrialFolder]:
    """The folders of all trials that neither run nor wait to go on, the best first."""
    ranked = [key[2] for key in state.ranked]
    known = set(ranked)
    others = [trial.number for trial in state.trials if trial.number not in known]
    return [
        TrialFolder(folder(number))
        for number in (*ranked, *others)
        if state.trials[number].status in STILL
    ]
