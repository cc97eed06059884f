from __future__ import annotations

from pathlib import Path

import pytest

from tasks.train.engine.recover import settle
from tasks.train.folder import TrialFolder, file_fact
from tasks.train.spec import Result


@pytest.fixture
def ended(tmp_path: Path) -> TrialFolder:
    """A trial that came to its end, its driver dead."""
    folder = TrialFolder(tmp_path)
    folder.predictions.write_bytes(b"predictions")
    fact = file_fact(folder.predictions)
    Result(
        outcome="complete",
        attempt=2,
        until=4,
        epochs=4,
        value=0.5,
        files={folder.predictions.name: fact},
    ).write(folder.path)
    return folder


def test_a_result_counts_whose_driver_died(ended: TrialFolder) -> None:
    assert settle(ended, attempt=2, until=4).outcome == "complete"


@pytest.mark.parametrize("content", [b"predictionz", b"", None])
def test_a_result_does_not_count_without_the_files_it_vouches_for(
    ended: TrialFolder, content: bytes | None
) -> None:
    if content is None:
        ended.predictions.unlink()
    else:
        ended.predictions.write_bytes(content)
    found = settle(ended, attempt=2, until=4)
    assert (found.outcome, found.cause) == ("interrupted", "driver")
