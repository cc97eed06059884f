"""The curve on disk: torn tails, missing lines, garbage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.runtime.errors import DenseError
from tasks.train.folder import (
    MetricLine,
    TrialFolder,
    TrialProgress,
    append_line,
    as_text,
    file_fact,
    mend_metrics,
    merge_lines,
    parse_lines,
)


def line(epoch: int, attempt: int = 1) -> MetricLine:
    return MetricLine(
        epoch=epoch,
        step=epoch * 10,
        time=100.0 + epoch,
        seconds=0.5,
        attempt=attempt,
        metrics={"train/loss": 1.0 / epoch},
    )


@given(epochs=st.integers(0, 6), cut=st.integers(0, 2_000))
def test_any_prefix_of_a_curve_reads_as_its_whole_lines(epochs: int, cut: int) -> None:
    content = "".join(as_text(line(epoch)) for epoch in range(1, epochs + 1)).encode()[:cut]
    lines, torn = parse_lines(content, Path("metrics.jsonl"))
    assert [each.epoch for each in lines] == list(range(1, content.count(b"\n") + 1))
    assert torn == (not content.endswith(b"\n") and content != b"")


def test_a_bad_line_is_an_error_that_names_file_and_line(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    folder.metrics.write_text(as_text(line(1)) + "{}\n" + as_text(line(2)))
    with pytest.raises(DenseError, match=r"metrics\.jsonl:2"):
        folder.read_metrics()


def test_no_file_is_an_empty_curve(tmp_path: Path) -> None:
    assert TrialFolder(tmp_path).read_metrics() == []


@given(st.data())
def test_merging_keeps_the_first_line_on_disk_of_each_epoch(data: st.DataObject) -> None:
    epochs = st.lists(st.integers(1, 5), max_size=8)
    disk = [line(e, attempt) for attempt, e in enumerate(data.draw(epochs), start=1)]
    saved = [line(e, 99) for e in sorted(set(data.draw(epochs)))]
    merged = merge_lines(disk, saved)
    assert [each.epoch for each in merged] == sorted({each.epoch for each in disk + saved})
    for each in merged:
        on_disk = [other for other in disk if other.epoch == each.epoch]
        assert each == (on_disk[0] if on_disk else line(each.epoch, 99))


@pytest.mark.parametrize(
    ("content", "saved", "epochs", "mended"),
    [
        ("", 0, [], False),
        (as_text(line(1)), 1, [1], False),
        (as_text(line(1)) + as_text(line(2)), 1, [1, 2], False),
        (as_text(line(1)) + as_text(line(2))[:30], 1, [1], True),
        (as_text(line(1)) + as_text(line(2))[:30], 2, [1, 2], True),
        (as_text(line(1)), 3, [1, 2, 3], True),
        (as_text(line(1)) + "garbage\n", 2, [1, 2], True),
    ],
    ids=["empty", "whole", "ahead", "torn", "torn-and-saved", "missing", "garbage"],
)
def test_mending(content: str, saved: int, epochs: list[int], mended: bool, tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    folder.metrics.write_text(content)
    assert bool(mend_metrics(folder, [line(e) for e in range(1, saved + 1)])) == mended
    assert [each.epoch for each in folder.read_metrics()] == epochs
    assert mend_metrics(folder, [line(e) for e in range(1, saved + 1)]) == ""


def test_appended_lines_are_read_back(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    for epoch in (1, 2):
        append_line(folder, line(epoch))
    assert folder.read_metrics() == [line(1), line(2)]


def test_a_fact_is_size_and_hash(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    fact = file_fact(path)
    assert fact.size == 3
    assert fact.sha256.startswith("ba7816bf")


def progress(**fields: Any) -> TrialProgress:
    whole = {"attempt": 2, "first_epoch": 3, "epoch": 4, "epochs": 6, "step": 5, "steps": 10}
    return TrialProgress.model_validate({**whole, "seconds": 30.0, **fields})


def test_progress_counts_from_the_epoch_that_the_attempt_began_with() -> None:
    assert progress().fraction == 15 / 40
    assert progress().seconds_left == pytest.approx(50.0)
    assert progress(epoch=3, step=0).seconds_left is None
    assert progress(epoch=6, step=10).seconds_left == 0.0


def test_progress_is_replaced_whole_and_read_for_its_attempt_alone(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    assert folder.read_progress(2) is None
    for step in (1, 2):
        folder.write_progress(progress(step=step))
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]
    assert folder.read_progress(2) == progress(step=2)
    assert folder.read_progress(3) is None, "an earlier attempt was killed"
