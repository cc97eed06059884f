"""What a trial is told, and what counts as its answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conf.runtime.errors import DenseError
from conf.schema.study import Study
from tasks.train.spec import Result, TrialSpec

CONFIG = Study(name="study").trial_config


def spec(**fields: Any) -> TrialSpec:
    return TrialSpec(
        **{
            "study": "study",
            "number": 1,
            "digest": "d" * 64,
            "config": CONFIG,
            "seed": 5,
            "train": "/data/train",
            "validation": "/data/validation",
            "card": "/data/card.json",
            "until": 3,
            **fields,
        }
    )


def test_a_specification_survives_its_file(tmp_path: Path) -> None:
    spec(halvings=2).write(tmp_path)
    assert TrialSpec.read(tmp_path) == spec(halvings=2)


def test_no_specification_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(DenseError, match=r"spec\.json"):
        TrialSpec.read(tmp_path)


def test_a_trial_is_told_nothing_of_the_test_part() -> None:
    assert not [name for name in TrialSpec.model_fields if "test" in name]


@pytest.mark.parametrize(
    ("keep", "until", "last"), [("best", 3, CONFIG.train.epochs), ("last", 3, 3)]
)
def test_the_last_epoch(keep: str, until: int, last: int) -> None:
    assert spec(keep=keep, until=until).last_epoch == last


def test_a_result_survives_its_file_and_counts_for_its_attempt_only(tmp_path: Path) -> None:
    result = Result(outcome="paused", attempt=2, until=3, epochs=3, value=0.5)
    result.write(tmp_path)
    assert Result.read(tmp_path) == result
    assert result.answers(2, 3)
    assert not result.answers(1, 3) and not result.answers(2, 12)


@pytest.mark.parametrize("content", [b"", b'{"outcome": "paused"', b"{}", b"\xff"])
def test_a_result_that_is_not_whole_is_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_bytes(content)
    assert Result.read(tmp_path) is None
