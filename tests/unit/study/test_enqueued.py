"""Configurations that a person enqueues."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from tasks.study.enqueued import collect, submit
from tasks.study.writer import OpenStudy
from tests.unit.study.examples import ME, STUDY


@pytest.fixture
def study(home: Home) -> Iterator[OpenStudy]:
    """An open study."""
    with OpenStudy.open(home, STUDY, ME, 0.0) as study:
        yield study


def check(values: Mapping[str, object]) -> None:
    """A study that knows one setting."""
    if set(values) - {"train.lr"}:
        raise BadInput(f"unknown: {values}")


def test_requests_are_taken_in_order_and_gone(study: OpenStudy) -> None:
    submit(study.folder, {"train.lr": 0.02}, "2-b")
    submit(study.folder, {"train.lr": 0.01}, "1-a")
    assert collect(study, check, 5.0) == ()
    assert [request.values["train.lr"] for request in study.state.enqueued] == [0.01, 0.02]
    assert list((study.folder / "inbox").iterdir()) == []


def test_a_request_that_a_dead_driver_left_behind_counts_once(study: OpenStudy) -> None:
    path = submit(study.folder, {"train.lr": 0.01}, "1-a")
    content = path.read_bytes()
    collect(study, check, 5.0)
    path.write_bytes(content)
    assert collect(study, check, 6.0) == ()
    assert len(study.state.enqueued) == 1
    assert not path.exists()


@pytest.mark.parametrize(
    "content", [b"{", b'{"values": {"train.lr": [1]}}', b'{"values": {"train.color": 3}}']
)
def test_a_request_that_cannot_be_tried_is_put_aside_and_said(
    study: OpenStudy, content: bytes
) -> None:
    path: Path = submit(study.folder, {"train.lr": 0.01}, "1-a")
    path.write_bytes(content)
    submit(study.folder, {"train.lr": 0.02}, "2-b")
    refusals = collect(study, check, 5.0)
    assert len(refusals) == 1
    assert (path.parent / "refused" / "1-a.json").read_bytes() == content
    assert [request.key for request in study.state.enqueued] == ["2-b"]
    assert collect(study, check, 6.0) == ()


def test_no_inbox_is_an_empty_one(study: OpenStudy) -> None:
    assert collect(study, check, 5.0) == ()
