"""The best trials keep their weights; what may go on keeps its checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.train.engine.retention import disk_use, keep_weights, keep_within
from tasks.train.folder import TrialFolder
from tasks.train.spec import Result


def ended(path: Path, outcome: str = "complete") -> TrialFolder:
    folder = TrialFolder(path)
    folder.checkpoints.mkdir(parents=True)
    folder.weights.write_bytes(b"w" * 10)
    (folder.checkpoints / "000003.ckpt").write_bytes(b"c" * 100)
    folder.predictions.write_bytes(b"p")
    Result(outcome=outcome, attempt=1, until=3).write(path)  # type: ignore[arg-type]
    return folder


@pytest.mark.parametrize("keep", [0, 1, 3, 9])
def test_the_best_keep_their_weights(keep: int, tmp_path: Path) -> None:
    folders = [ended(tmp_path / str(number)) for number in range(3)]
    keep_weights(folders, keep)
    assert [folder.weights.exists() for folder in folders] == [n < keep for n in range(3)]
    assert all(folder.predictions.exists() for folder in folders)
    assert disk_use(folders) == 10 * min(keep, 3)
    assert keep_weights(folders, keep) == []


def test_a_paused_trial_keeps_what_it_needs_to_go_on(tmp_path: Path) -> None:
    folder = ended(tmp_path / "0", "paused")
    unfinished = ended(tmp_path / "1")
    unfinished.result.unlink()
    assert keep_weights([folder, unfinished], 0) == []
    assert disk_use([folder, unfinished]) == 220


def test_what_may_be_kept_is_bounded_and_the_worst_give_way_first(tmp_path: Path) -> None:
    folders = [ended(tmp_path / str(number), "paused") for number in range(3)]
    assert keep_within(folders, 330) == []
    removed = keep_within(folders, 219)
    assert {path.parent.parent.name for path in removed} == {"1", "2"}
    assert disk_use(folders) == 110
    assert folders[2].predictions.exists() and Result.read(folders[2].path) is not None
