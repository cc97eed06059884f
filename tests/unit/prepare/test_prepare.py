"""The store: once, whole, checked, shared; and what bad data gets."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pytest

from conf.runtime.errors import BadInput, DenseError
from conf.runtime.home import Home
from conf.schema.split import Grouped, Stratified
from conf.schema.study import Study
from tasks.prepare import prepare, run, test_path
from tasks.prepare.store.pin import pinned
from tests.unit.prepare.made import MadeSource, random_rows, table_rows

STUDY = Study(name="made")


def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rows) -> MadeSource:
    source = MadeSource(rows, tmp_path / "source")
    monkeypatch.setattr(run, "open_source", lambda *_: source)
    return source


def ids(path: Path) -> set[int]:
    return set(datasets.load_from_disk(str(path))["id"])


def test_digits_are_prepared_with_every_row_in_one_part(home: Home):
    prepared = prepare(Study(name="digits"), home)
    parts = [ids(prepared.train), ids(prepared.validation), ids(test_path(prepared))]
    assert [len(part) for part in parts] == [1079, 359, 359]
    assert set.union(*parts) == set(range(1797))
    assert prepared.card.rows.as_json() == {
        "read": 1797, "kept": 1797, "train": 1079, "validation": 359, "test": 359,
    }  # fmt: skip
    assert prepared.card.classes == tuple("0123456789")
    inputs = prepared.card.inputs
    assert (inputs.kind, inputs.height, inputs.low, inputs.high) == ("image", 8, 0, 16)


def test_the_test_part_is_not_among_what_trials_are_given(home: Home):
    prepared = prepare(Study(name="digits"), home)
    test = str(test_path(prepared))
    given_to_trials = [prepared.train, prepared.validation, prepared.card_path]
    assert not any(str(path).startswith(test) for path in given_to_trials)
    assert test not in json.dumps(prepared.card.as_json())


def test_a_second_study_with_the_same_key_prepares_nothing(home, tmp_path, monkeypatch):
    source = given(monkeypatch, tmp_path, random_rows([20, 20]))
    first = prepare(STUDY, home)
    second = prepare(Study(name="other"), home)
    assert (second.key, source.reads) == (first.key, 1)


@pytest.mark.parametrize(
    "other",
    [
        Study(name="made", seed=1),
        Study(name="made", split=Stratified(test=0.3)),
        Study(name="made", clean={"duplicates": "keep"}),
    ],
    ids=["seed", "split", "clean"],
)
def test_what_changes_the_rows_changes_the_key(home, tmp_path, monkeypatch, other):
    given(monkeypatch, tmp_path, random_rows([20, 20]))
    assert prepare(STUDY, home).key != prepare(other, home).key


def test_what_does_not_reach_the_model_as_expected_is_said_at_every_run(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = np.random.default_rng(0).normal(size=(40, 2))
    features[7] = features[25]
    rows = table_rows(features, ["a"] * 20 + ["b"] * 20)
    groups = pa.array([str(min(n // 2, 2)) for n in range(40)])
    rows = replace(rows.put("group", groups), left_out={"tags": "holds lists", "blob": "is empty"})
    given(monkeypatch, tmp_path, rows)
    study = Study(name="made", split=Grouped(validation=0.1, test=0.1))
    for _ in range(2):
        said: list[str] = []
        prepared = prepare(study, home, said.append)
        assert said[-3] == "left out: 'tags' (holds lists), 'blob' (is empty)"
        assert said[-2] == (
            "labels: 2 rows equal another row and have a different label (row 7, row 25)"
        )
        assert said[-1].endswith("in percentage points: train +10.0, validation -5.0, test -5.0")
    assert prepared.card.missed_shares == {"train": 0.1, "validation": -0.05, "test": -0.05}
    assert prepared.card.rows.kept == 40


def test_changed_source_bytes_change_the_key(home, tmp_path, monkeypatch):
    source = given(monkeypatch, tmp_path, random_rows([20, 20]))
    first = prepare(STUDY, home)
    source.files[0].write_text("other")
    assert prepare(STUDY, home).key != first.key


def test_equal_keys_give_equal_bytes(tmp_path, monkeypatch):
    given(monkeypatch, tmp_path, random_rows([20, 20]))
    one, two = (prepare(STUDY, Home.open(tmp_path / name)) for name in "ab")
    manifests = [(prepared.path / "manifest.json").read_text() for prepared in (one, two)]
    assert manifests[0] == manifests[1]


def test_of_two_who_ask_at_once_one_works_and_the_other_waits(home, tmp_path, monkeypatch):
    source = given(monkeypatch, tmp_path, random_rows([20, 20]))
    reading, go_on = threading.Event(), threading.Event()
    read = source.read

    def slow_read(scratch):
        reading.set()
        assert go_on.wait(10)
        return read(scratch)

    source.read = slow_read
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(prepare(STUDY, home))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    assert reading.wait(10)
    assert not results
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert [result.key for result in results] == [results[0].key] * 3
    assert source.reads == 1


def test_what_a_killed_process_left_is_no_prepared_data_and_is_swept(home, tmp_path, monkeypatch):
    source = given(monkeypatch, tmp_path, random_rows([20, 20]))
    key = prepare(STUDY, Home.open(tmp_path / "elsewhere")).key
    left = home.data / f".{key}.killed"
    for folder in (left, home.data / key):  # the second lost its manifest
        folder.mkdir(parents=True)
        (folder / "card.json").write_text("{")
    assert prepare(STUDY, home).card.rows.kept == 40
    assert (left.exists(), source.reads) == (False, 2)


@pytest.mark.parametrize("content", ["", "[]", "{}"])
def test_a_damaged_manifest_is_refused(home, tmp_path, monkeypatch, content):
    given(monkeypatch, tmp_path, random_rows([20, 20]))
    (prepare(STUDY, home).path / "manifest.json").write_text(content)
    with pytest.raises(DenseError, match="damaged: manifest"):
        prepare(STUDY, home)


@pytest.mark.parametrize("content", ["", "[]", "{}"])
def test_a_damaged_note_of_the_data_is_refused(home, content):
    (home.study("made")).mkdir(parents=True)
    (home.study("made") / "data.json").write_text(content)
    with pytest.raises(BadInput, match="which data the study began with"):
        pinned(STUDY, home)


@pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
def test_damaged_data_is_refused(home, tmp_path, monkeypatch, harm):
    given(monkeypatch, tmp_path, random_rows([20, 20]))
    file = next(prepare(STUDY, home).train.glob("*.arrow"))
    content = file.read_bytes()
    if harm == "flip":
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif harm == "cut":
        file.write_bytes(content[:-1])
    else:
        file.unlink()
    with pytest.raises(DenseError, match="damaged"):
        prepare(STUDY, home)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (random_rows([0, 0]), "0 rows are left"),
        (random_rows([30]), "at least two classes"),
        (random_rows([30, 2]), "too few rows"),
        (table_rows(np.full((9, 2), np.nan), list("aaabbbccc")), "0 rows are left"),
    ],
    ids=["empty", "one class", "too small", "all missing"],
)
def test_unusable_data_is_refused_and_leaves_nothing(home, tmp_path, monkeypatch, rows, message):
    given(monkeypatch, tmp_path, rows)
    with pytest.raises(BadInput, match=message):
        prepare(STUDY, home)
    assert sorted(path.name for path in home.data.iterdir()) == ["files.json", "files.lock"]


def test_a_class_that_only_the_future_has_is_refused(home, tmp_path, monkeypatch):
    import pyarrow as pa

    rows = random_rows([40, 10]).put("time", pa.array(np.arange(50.0)))
    given(monkeypatch, tmp_path, rows)
    with pytest.raises(BadInput, match="no row of the class '1'"):
        prepare(Study(name="made", split={"by": "time"}), home)


@pytest.mark.parametrize(
    ("augment", "space", "message"),
    [
        ({"rotate": {}}, {}, r"augment\.rotate is not for table data"),
        ({}, {"augment.typos.share": {"low": 0.0, "high": 0.1}}, r"augment\.typos"),
    ],
    ids=["named", "searched"],
)
def test_augmentation_that_the_data_does_not_know_is_refused(
    home, tmp_path, monkeypatch, augment, space, message
):
    given(monkeypatch, tmp_path, random_rows([20, 20]))
    study = Study(name="made", augment=augment, search={"space": space})
    with pytest.raises(BadInput, match=message):
        prepare(study, home)
    prepare(STUDY, home)  # also where the data is there already
    with pytest.raises(BadInput, match=message):
        prepare(study, home)


@pytest.mark.parametrize(
    ("clean", "message"),
    [
        ({"per_channel": True}, r"clean\.per_channel is not for table data"),
        ({"privacy": {}}, r"clean\.privacy\.anonymity"),
    ],
    ids=["other kind", "nothing to count"],
)
def test_cleaning_that_the_data_does_not_know_is_refused(
    home, tmp_path, monkeypatch, clean, message
):
    given(monkeypatch, tmp_path, random_rows([20, 20]))
    with pytest.raises(BadInput, match=message):
        prepare(Study(name="made", clean=clean), home)


@pytest.mark.parametrize(
    ("clean", "kind"),
    [
        ({"outliers": {"kind": "iqr"}}, "image"),
        ({"missing": "mean"}, "text"),
        ({"normalize": "robust"}, "text"),
        ({"suspects": {}}, "pairs"),
        ({"labels": ["a"]}, "pairs"),
        ({"privacy": {}}, "image"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_each_rule_is_for_some_kinds(clean, kind):
    from tasks.prepare.check_kind import check_kind

    study = Study.model_validate({"name": "x", "clean": clean})
    with pytest.raises(BadInput, match=f"clean.{next(iter(clean))}"):
        check_kind(study, kind)


def test_a_source_that_changes_while_it_is_read_is_refused(home, tmp_path, monkeypatch):
    source = given(monkeypatch, tmp_path, random_rows([20, 20]))
    read = source.read

    def late(scratch):
        rows = read(scratch)
        source.files[0].write_text("more was written")
        return rows

    source.read = late
    with pytest.raises(BadInput, match="changed while it was read"):
        prepare(STUDY, home)
    source.read = read
    assert prepare(STUDY, home).train.exists()
