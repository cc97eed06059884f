"""Garbage collection removes what no study uses, and nothing else."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.study import Study
from data.assets.catalogue import ARCHIVES
from data.assets.fetch import lock as asset_lock
from tasks.prepare import prepare
from tasks.prepare.store.gc import collect, unused
from tasks.prepare.store.pin import pinned
from tasks.prepare.store.store import lock, open_prepared
from tasks.study.identity import study_json

DAY = 86_400.0


def begun(home: Home, **given) -> Study:
    """A study whose folder is there, as after its start."""
    study = Study.model_validate(given)
    home.study(study.name).mkdir(parents=True)
    (home.study(study.name) / "study.json").write_text(study_json(study))
    return study


def asset(home: Home, name: str) -> Path:
    """The folder of an asset, as if it had been fetched."""
    folder = home.assets / name
    folder.mkdir(parents=True)
    (folder / "file").write_bytes(b"12345")
    return folder


def test_what_a_study_uses_stays(home: Home):
    kept = pinned(Study(name="kept"), home)
    other = prepare(Study(name="other", seed=1), home)
    size = sum(file.stat().st_size for file in other.path.rglob("*") if file.is_file())
    assert [(one.path, one.size) for one in unused(home)] == [(other.path, size)]
    assert [one.path for one in collect(home)] == [other.path]
    assert open_prepared(home, kept.key) is not None
    assert not other.path.exists()
    assert not list(home.data.glob(".*")) and not list(home.data.glob(f"{other.key}*"))
    assert collect(home) == []


def test_what_a_trial_names_stays(home: Home):
    prepared = prepare(Study(name="x"), home)
    folder = home.trial("x", 0, "abcdefgh")
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps({"train": str(prepared.train)}))
    assert collect(home) == []


@pytest.mark.parametrize(
    "given",
    [
        {"data": {"source": "package", "name": "mnist"}},
        {"augment": {"synonyms": {"language": "zh"}}},
        {"data": {"source": "hub", "name": "a/b", "revision": "0" * 40}},
    ],
    ids=["data", "thesaurus", "hub"],
)
def test_an_asset_that_a_study_names_stays(home: Home, given):
    names = {"mnist": ARCHIVES["mnist"].folder, "cilin": ARCHIVES["cilin"].folder, "hub": "hub"}
    for name in names.values():
        asset(home, name)
    begun(home, name="x", **given)
    kept = {"package": "mnist", "hub": "hub"}.get(given.get("data", {}).get("source"), "cilin")
    gone = {one.name for one in collect(home)}
    assert gone == set(names.values()) - {names[kept]}
    assert {path.name for path in home.assets.iterdir()} == {names[kept]}


@pytest.mark.parametrize(("days", "removed"), [(2.0, 0), (0.5, 1)], ids=["young", "old"])
def test_what_was_used_lately_stays(home: Home, days: float, removed: int):
    prepare(Study(name="x"), home)
    assert len(unused(home, days=days, now=time.time() + DAY)) == removed


def test_opening_counts_as_use(home: Home):
    import os

    prepared = prepare(Study(name="x"), home)
    os.utime(prepared.path, (0, 0))
    assert len(unused(home, days=1)) == 1
    prepare(Study(name="x"), home)
    assert unused(home, days=1) == []


def test_what_is_being_made_stays(home: Home):
    home.data.mkdir(parents=True)
    half = home.data / ".key.half"
    half.mkdir()
    fetched = asset(home, ".package-1.0-abc.xyz")
    with lock(home, "key"), asset_lock(home, "package-1.0-abc"):
        assert collect(home) == []
    assert [one.path for one in collect(home)] == [half, fetched]
    assert not half.exists() and not fetched.exists()


def test_what_is_taken_up_while_it_is_looked_at_stays(home: Home, monkeypatch):
    from tasks.prepare.store import gc as room

    prepared = prepare(Study(name="x"), home)
    seen = unused(home)
    open_prepared(home, prepared.key)
    monkeypatch.setattr(room, "unused", lambda *_, **__: seen)
    assert room.collect(home) == []
    assert prepared.path.is_dir()


@pytest.mark.parametrize(
    "file", ["studies/s/data.json", "studies/s/study.json", "trials/s/0-a/spec.json"]
)
def test_where_the_record_is_damaged_nothing_is_removed(home: Home, file: str):
    prepared = prepare(Study(name="x"), home)
    (home.path / file).parent.mkdir(parents=True)
    (home.path / file).write_text("{")
    with pytest.raises(BadInput, match="restore it from a copy"):
        collect(home)
    assert prepared.path.is_dir()


def test_what_was_made_of_data_goes_with_the_data(home: Home):
    kept = pinned(Study(name="kept"), home)
    for key in (kept.key, "0" * 32):
        (home.features / key).mkdir(parents=True)
        (home.features / key / "made.npy").write_bytes(b"123")
    assert [(one.kind, one.name, one.size) for one in collect(home)] == [("features", "0" * 32, 3)]
    assert [path.name for path in home.features.iterdir()] == [kept.key]
