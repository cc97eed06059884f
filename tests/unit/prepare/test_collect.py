"""Garbage collection removes what no study uses, and nothing else."""

from __future__ import annotations

import json
import time

import pytest

from conf.home import Home
from conf.study import Study
from tasks.prepare import prepare
from tasks.prepare.collect import collect, unused_data
from tasks.prepare.pin import pinned
from tasks.prepare.store import lock


def test_what_a_study_uses_stays(home: Home):
    kept = pinned(Study(name="kept"), home)
    other = prepare(Study(name="other", seed=1), home)
    assert [one.path for one in collect(home)] == [other.path]
    assert kept.train.exists()
    assert not other.path.exists()
    assert collect(home) == []


def test_what_a_trial_names_stays(home: Home):
    prepared = prepare(Study(name="x"), home)
    folder = home.trial("x", 0, "abcdefgh")
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps({"train": str(prepared.train)}))
    assert collect(home) == []


@pytest.mark.parametrize(("days", "removed"), [(2.0, 0), (0.5, 1)], ids=["young", "old"])
def test_what_is_young_stays(home: Home, days: float, removed: int):
    prepare(Study(name="x"), home)
    assert len(unused_data(home, days=days, now=time.time() + 86_400)) == removed


def test_what_is_being_prepared_stays(home: Home):
    home.data.mkdir(parents=True)
    half = home.data / ".key.half"
    half.mkdir()
    with lock(home, "key"):
        assert collect(home) == []
    assert [one.path for one in collect(home)] == [half]
    assert not half.exists()
