"""`dense new` on files as people have them: what it takes, and what it says of the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conf.loading.load import load_study
from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.study import Study
from flows.cli.new import new_study
from tasks.prepare import prepare
from tests.unit.draft.made import images


def drafted(here: Path, name: str, lines: list[str], target: str | None = None) -> Study:
    """The study that is written for a file of these lines."""
    file = here / "data" / name
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    new_study("mine", file, target)
    return load_study("mine")


def test_what_cannot_be_learnt_from_is_left_out_with_its_reason(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        f"{n % 7};{n % 28 + 1:02}.03.2026;1;{n},5;{'ja' if n % 3 else 'nein'}" for n in range(60)
    ]
    study = drafted(here, "t.csv", ["Wert;Datum;Art;Fläche;kauft", *rows])
    assert study.data.without == ("Art",)
    assert study.data.dates == "%d.%m.%Y" and study.data.numbers.decimal == ","
    said = capsys.readouterr().out
    assert "'Art' (always 1)" in said and "dates are written as %d.%m.%Y" in said


def test_rows_without_a_target_are_counted(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{n},{n % 7},{'' if n % 10 else 'xy'[n % 4 // 2]}" for n in range(400)]
    drafted(here, "t.csv", ["a,b,label", *rows])
    assert "360 rows without 'label' are left out" in capsys.readouterr().out


def test_sentences_are_read_where_numbers_only_mark_them(here: Path) -> None:
    text = "a long comment that somebody wrote about number"
    rows = [f"x{n},{text} {n},{n % 2},{n % 3 // 2},{n % 5 // 4}" for n in range(60)]
    study = drafted(here, "t.csv", ["id,comment,rude,odd,threat", *rows])
    assert (study.data.text, study.data.label) == ("comment", "threat")


@pytest.mark.parametrize(
    ("lines", "target", "reason"),
    [
        ([f"{n % 7}.5,{n % 5},{'ab'[n % 2]}" for n in range(40)], None, "looks like a row"),
        ([f"{n % 7}.5,{n}.25,{n % 3}.75" for n in range(40)], None, "looks like a row"),
        (["a,street,price", *(f"{n % 9},{'xy'[n % 2]},{n * 7}" for n in range(60))], None,
         "name the column to predict"),
        (["1,1,x", "1,2,y"], None, "put a line of names before the rows"),
    ],
    ids=["no names", "numbers alone", "two could be it", "twice"],
)  # fmt: skip
def test_what_is_asked_for(here: Path, lines: list[str], target: str | None, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        drafted(here, "t.csv", lines, target)


def test_what_long_texts_lose_is_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{'good film ' * 150}{n},{'ab'[n % 2]}" for n in range(40)]
    assert drafted(here, "t.csv", ["review,label", *rows]).model.tokens == 256
    assert "at most about 502 tokens; they are cut after 256" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("article", "summary", "metrics", "tokenize"),
    [
        ("the cat sat on the mat ", "a cat sat on it and that was all there is {}",
         ("rougeL", "rouge1", "perplexity"), "13a"),
        ("这部电影很好看我非常喜欢大家都去看不错", "电影很好看我喜欢不错{}",
         ("chrf", "bleu", "exact_match", "perplexity"), "char"),
        ("Очень хороший фильм мне понравился ", "Фильм понравился {}",
         ("chrf", "bleu", "exact_match", "perplexity"), "13a"),
    ],
    ids=["English", "Chinese", "Russian"],
)  # fmt: skip
def test_what_is_written_is_scored_in_its_own_letters(
    here: Path, article: str, summary: str, metrics: tuple[str, ...], tokenize: str
) -> None:
    rows = [{"article": article * 12 + str(n), "summary": summary.format(n)} for n in range(40)]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    study = drafted(here, "t.jsonl", lines)
    assert study.evaluate.metrics == metrics and study.evaluate.objective == metrics[0]
    assert study.evaluate.texts.tokenize == tokenize


def test_hidden_folders_of_images_hold_no_class(here: Path) -> None:
    folder = images(here / "data")
    for name in (".ipynb_checkpoints", "__MACOSX"):
        (folder / name).mkdir()
        for number in range(6):
            (folder / name / f"{number}.png").write_bytes((folder / "cat" / "0.png").read_bytes())
    new_study("mine", folder, None)
    assert set(prepare(load_study("mine"), Home.open()).card.classes) == {"cat", "dog"}


def test_folders_of_parts_are_no_classes(here: Path) -> None:
    folder = images(here / "data")
    for name in ("Train", "test"):
        (folder / name).mkdir()
    for name in ("cat", "dog"):
        (folder / name).rename(folder / "Train" / name)
    with pytest.raises(BadInput, match=r"holds parts \(Train\) and not classes.*images/Train"):
        new_study("mine", folder, None)
