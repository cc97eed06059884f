"""`dense new`: what it writes is a study that fits the data and can be run at once."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from conf.loading.load import load_study
from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.study import Study
from flows.cli.new import new_study
from tasks.draft.study_draft import flow
from tasks.draft.table_profile import read_sheet
from tasks.prepare import prepare
from tests.unit.draft.made import MAKERS, images, numbers, pairs, sentence, table, texts, topics


def written(here: Path, data: Path, target: str | None = None) -> Study:
    """The study that is written for some data."""
    new_study("mine", data, target)
    return load_study("mine")


@pytest.mark.parametrize("kind", MAKERS)
def test_its_data_can_be_prepared_at_once(here: Path, kind: str) -> None:
    study = written(here, MAKERS[kind](here / "data"))
    prepared = prepare(study, Home.open())
    assert prepared.card.rows.train > 0
    assert study.search.space


def test_a_tables_columns(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = written(here, table(here / "data"))
    said = capsys.readouterr().out
    assert study.data.label == "kind" and study.data.without == ("id",)
    assert study.clean.missing == "median"
    assert "left out: 'id' (it only names the rows)" in said
    assert "categories, one input each: 'maker' (2)" in said
    assert "3 classes of 'kind', of 20 to 20 rows" in said
    assert study.search.space["model.gamma"].when == {"model.kind": ("svm",)}


def test_the_separator_is_found(here: Path) -> None:
    assert written(here, table(here / "data", ";")).data.separator == ";"


@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        ("这部电影很好看我非常喜欢大家都去看", "gb18030"),
        ("très bon café, déjà vu à Orléans", "cp1252"),
    ],
    ids=["Chinese", "French"],
)
def test_the_encoding_is_found_and_told(
    here: Path, words: str, encoding: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f'"{words} {number}",{"ab"[number % 2]}' for number in range(40)]
    file = here / "data" / "t.csv"
    file.write_bytes("\n".join(["review,label", *rows]).encode(encoding))
    assert written(here, file).data.encoding == encoding
    assert f"read as {encoding}" in capsys.readouterr().out


def test_times_are_no_texts(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"2026-01-{1 + number % 28:02} 10:{number:02}:00,{number % 7},{number % 2}"
            for number in range(40)]  # fmt: skip
    file = here / "data" / "t.csv"
    file.write_text("\n".join(["when,a,label", *rows]), encoding="utf-8")
    study = written(here, file)
    assert study.data.text is None and study.data.without == ()
    assert "calendar features (days, year, week, day) of: 'when'" in capsys.readouterr().out


def test_texts(here: Path) -> None:
    study = written(here, texts(here / "data"))
    assert (study.data.label, study.data.text) == ("sentiment", "review")
    assert study.model.kind == "transformer" and "roc_auc" in study.evaluate.metrics


@pytest.mark.parametrize(
    "words",
    ["这部电影很好看我非常喜欢", "Очень хороший фильм, мне понравился"],
    ids=["Chinese", "Russian"],
)
def test_texts_that_minilm_does_not_read(
    here: Path, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f'"{words} {number}",{"ab"[number % 2]}' for number in range(80)]
    file = here / "data" / "t.csv"
    file.write_text("\n".join(["review,label", *rows]), encoding="utf-8")
    study = written(here, file)
    assert study.model.kind == "text_cnn" and study.clean.text.vocabulary == 4_000
    assert {"model.longest", "model.pool", "augment.delete.share"} <= study.search.space.keys()
    assert study.search.space["model.c"].when == {"model.kind": ("linear",)}
    assert "the texts do not look English" in capsys.readouterr().out
    assert prepare(study, Home.open()).card.inputs.longest == study.clean.text.tokens


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_several_labels_a_row(here: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    study = written(here, topics(here / "data", kind))
    assert (study.data.task, study.data.label, study.data.text) == ("multilabel", "tags", "story")
    assert study.data.label_separator == (";" if kind == "csv" else "|")
    assert study.evaluate.objective == "f1_micro" and study.clean.class_floor == 5
    assert prepare(study, Home.open()).card.classes == ("arts", "sport", "war")
    said = capsys.readouterr().out
    assert "any number of 3 labels of 'tags'" in said and "1 labels of fewer rows" in said


@pytest.mark.parametrize(
    "cells",
    [
        ["Paris, France", "Lyon, France", "Bonn, Germany"],
        ["a good day, and so on", "rain, again", "nothing"],
        ["a", "b", "a, b"],
    ],
    ids=["always two", "sentences", "rare"],
)
def test_what_only_holds_the_mark_is_a_class_or_a_text(here: Path, cells: list[str]) -> None:
    rows = [(cells[k % 3] if k < 50 or len(cells[0]) > 1 else "ab"[k % 2]) for k in range(600)]
    rows = [f"{row} {k}" if "day" in cells[0] else row for k, row in enumerate(rows)]
    lines = [f'{k % 7},{k % 2},"{row}"' for k, row in enumerate(rows)]
    file = here / "data" / "t.csv"
    file.write_text("\n".join(["size,kind,city", *lines]) + "\n", encoding="utf-8")
    assert read_sheet(file).column("city").between is None


def test_pairs_without_a_header(here: Path) -> None:
    study = written(here, pairs(here / "data"))
    assert (study.data.task, study.data.header) == ("translation", False)
    assert (study.model.kind, study.evaluate.objective) == ("gru", "chrf")


@pytest.mark.parametrize(("source", "target"), [(2, 60), (400, 1)], ids=["longer", "shorter"])
def test_pairs_of_unlike_sides_are_kept(here: Path, source: int, target: int) -> None:
    chance = random.Random(0)
    sides = [(sentence(chance, source), sentence(chance, target)) for _ in range(60)]
    lines = [f"{n} {one}\t{other} {n}" for n, (one, other) in enumerate(sides)]
    file = here / "data" / "pairs.tsv"
    file.write_text("\n".join(["source\ttarget", *lines]) + "\n", encoding="utf-8")
    card = prepare(written(here, file), Home.open()).card
    assert card.rows.kept >= 59


@pytest.mark.parametrize(("size", "kind", "side"), [(12, "cnn", 12), (70, "head", 70)])
def test_images(here: Path, size: int, kind: str, side: int) -> None:
    study = written(here, images(here / "data", size))
    assert (study.model.kind, study.data.height, study.data.channels) == (kind, side, 1)


def test_images_listed_in_a_table(here: Path) -> None:
    folder = images(here / "data")
    names = sorted(str(file.relative_to(folder)) for file in folder.rglob("*.png"))
    lines = [f"{name},{'round' if number % 2 else 'flat'}" for number, name in enumerate(names)]
    (folder / "list.csv").write_text("\n".join(["file,shape", *lines]) + "\n", encoding="utf-8")
    study = written(here, folder, "shape")
    assert (study.data.table, study.data.image, study.data.label) == ("list.csv", "file", "shape")
    assert set(prepare(study, Home.open()).card.classes) == {"flat", "round"}


def test_a_rare_class_is_left_out_and_uneven_ones_are_weighed(here: Path) -> None:
    rows = ["a,b,kind", *(f"{n},{n * n},{'x' if n % 5 else 'y'}" for n in range(700)), "1,1,odd"]
    (here / "data" / "t.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    study = written(here, here / "data" / "t.csv")
    assert study.clean.class_floor == 5
    assert (study.train.class_weights, study.evaluate.objective) == ("balanced", "f1_macro")


def test_a_folder_that_is_not_open_to_studies_is_opened_by_the_command(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DENSE_DATA")
    new_study("mine", table(here / "data"), None)
    assert f"DENSE_DATA={here / 'data'} dense run mine" in capsys.readouterr().out


def test_without_a_folder_of_own_studies_it_is_written_here(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DENSE_STUDIES")
    monkeypatch.chdir(here)
    new_study("mine", table(here / "data"), None)
    assert load_study("mine.yaml", allow_path=True).name == "mine"
    with pytest.raises(BadInput, match="there is a study 'mine' already"):
        new_study("mine", table(here / "data"), None)


@pytest.mark.parametrize(
    ("name", "text", "target", "reason"),
    [
        ("digits", "a,b\n1,x\n2,y\n", None, "there is a study 'digits' already"),
        ("Mine", "a,b\n1,x\n2,y\n", None, "no study's name"),
        ("mine", "a,b\n1,x\n2,y\n", "c", "has no column 'c'; it has 'a', 'b'"),
        ("mine", "a,b\n1,x\n2,x\n", "b", "has 1 value"),
        ("mine", "a,b\n", None, "has no rows"),
        ("mine", "a,b\n" + "".join(f"x{n},y{n}\n" for n in range(9)), None, "name the column"),
        ("mine", "a,b\n" + "x,y\nu,v\n" * 9, "b", "neither texts nor numbers"),
    ],
    ids=["shipped", "name", "column", "one value", "empty", "no target", "nothing to learn from"],
)
def test_bad_input_writes_nothing(
    here: Path, name: str, text: str, target: str | None, reason: str
) -> None:
    file = here / "data" / "t.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=reason):
        new_study(name, file, target)
    assert not list((here / "studies").iterdir())


@pytest.mark.parametrize("reason", ["there is nothing at", "no .csv", "holds no images"])
def test_a_path_that_is_no_data(here: Path, reason: str) -> None:
    path = here / "data" / {"there is nothing at": "absent", "no .csv": "a.txt"}.get(reason, "")
    if path.suffix:
        path.write_text("text", encoding="utf-8")
    with pytest.raises(BadInput, match=reason):
        new_study("mine", path, None)


@pytest.mark.parametrize(
    "value", ["a b", "no", "1e-3", 'say "x"', "é", "# x", "", "f1_macro", True, None, 0.0001, 3]
)
def test_what_is_written_is_read_as_it_was(value: Any) -> None:
    from conf.loading.yaml import parse_yaml

    found = parse_yaml(flow({"key": [value]}), "text").value
    assert json.dumps(found) == json.dumps({"key": [value]})


def test_numbers_that_are_no_classes_are_regression(here: Path) -> None:
    study = written(here, numbers(here / "data"))
    assert (study.data.task, study.evaluate.objective) == ("regression", "rmse")
    assert study.split.by == "random"
