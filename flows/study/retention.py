"""Which checkpoints and weights of a study stay on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from conf.schema.run import Resources
from tasks.study.state import State
from tasks.train.engine.retention import disk_use, keep_weights, keep_within
from tasks.train.folder import TrialFolder

FolderOf = Callable[[int], Path]
"""The folder of a trial, by its number."""

AT_REST = ("complete", "paused", "stopped", "failed")
"""Statuses of trials that neither run nor wait to continue."""


def free_disk(state: State, folder: FolderOf, resources: Resources) -> int:
    """Remove the checkpoints of failed trials and the weights of all but the best.

    Returns:
        Bytes that the remaining checkpoints and weights take.
    """
    failed = [trial.number for trial in state.trials if trial.status == "failed"]
    keep_within([TrialFolder(folder(number)) for number in failed], 0)
    ranked = best_first(state, folder)
    keep_weights(ranked, resources.weights)
    enforce_limit(state, folder, resources)
    return disk_use(ranked)


def enforce_limit(state: State, folder: FolderOf, resources: Resources) -> None:
    """Keep the trials at rest within `resources.disk_gib`."""
    if (limit := resources.disk_gib) is not None:
        keep_within(best_first(state, folder), limit * 2**30)


def best_first(state: State, folder: FolderOf) -> list[TrialFolder]:
    """The folders of all trials at rest, the best first, those without an objective last."""
    ranked = [key[2] for key in state.ranked]
    known = set(ranked)
    others = [trial.number for trial in state.trials if trial.number not in known]
    return [
        TrialFolder(folder(number))
        for number in (*ranked, *others)
        if state.trials[number].status in AT_REST
    ]
