"""The page: well-formed, in need of nothing else, and safe against hostile names."""

from __future__ import annotations

import dataclasses
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from conf.loading.load import load_study
from conf.schema.data import TableData
from conf.schema.study import Study
from tasks.evaluate.evaluation import EVALUATION, TextExample
from tasks.report.page import page, script_json, write_page
from tasks.report.reproduce import as_yaml
from tasks.report.view import Surroundings
from tasks.study import events
from tasks.study.reader import StudyRecord
from tests.cards import as_card
from tests.unit.report.made import CARD, contact_sheet, crowned, made_home, made_study

VOID = {"meta", "link", "img", "br", "input", "hr"}
EVIL = "</script><img src=https://evil.example/x onerror=alert(1)>{{ 7 * 7 }}&\"'"


class Reader(HTMLParser):
    """Checks that elements nest, and keeps text, attributes and scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style"):
            self.scripts.append(data)
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        """All that a person reads."""
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def reader(record: StudyRecord) -> Reader:
    """The page of the study, read."""
    around = Surroundings(card=as_card(CARD), contact_sheet=contact_sheet())
    return Reader(page(record, around))


def test_it_says_what_a_reader_wants_to_know(reader: Reader, record: StudyRecord) -> None:
    best = record.best
    assert best is not None
    for part in (
        "0.9861 accuracy on rows that the search never saw", "gain over trial 0", "16", "2 failed",
        f"trial {best.number}, retrained", "no version of digits holds the alias yet",
        "the loss became nan in epoch 2", "1,797", "dense run digits Copy",
        "weight_decay", "torch",
    ):  # fmt: skip
        assert part in reader.text


def test_it_loads_nothing(reader: Reader) -> None:
    for tag, name, value in reader.attributes:
        if name in ("src", "href", "srcset", "action", "data", "poster"):
            assert value.startswith("data:"), (tag, name, value[:80])
        assert "url(" not in value and not name.startswith("on")
    policy = next(value for _, name, value in reader.attributes if "default-src" in value)
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert not any("@import" in script[:100_000] for script in reader.scripts)


def test_plotly_is_there_once(record: StudyRecord) -> None:
    assert page(record).count("plotly.js v") == 1


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    record = made_study(made_home(tmp_path), trials=3, failed=(1,))
    suggested = record.state.trials[1]
    evil = dataclasses.replace(suggested, message=EVIL, origin=EVIL)
    trials = record.state.trials.replace(1, evil)
    state = dataclasses.replace(record.state, trials=trials)
    record = dataclasses.replace(record, state=state)
    card = {**CARD, "classes": [EVIL] * 10, "source": {"place": EVIL, "licence": EVIL},
            "counts": {"train": {EVIL: 1}}}  # fmt: skip
    around = Surroundings(card=as_card(card), tracking_uri=EVIL)
    reader = Reader(page(record, around))
    assert reader.text.count("<img src=https://evil.example/x onerror=alert(1)>{{ 7 * 7 }}") >= 5
    assert "49&" not in reader.text
    assert not any("evil" in value for tag, _, value in reader.attributes if tag == "img")
    json.loads(next(s for s in reader.scripts if s.startswith('{"history')))


def test_script_json_cannot_end_its_element() -> None:
    given = {"a": "</script><!--\u2028&"}
    text = script_json(given)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == given


@pytest.mark.parametrize("trials", [0, 1, 2], ids=["nothing asked", "one failed", "two failed"])
def test_a_study_without_success_has_a_page(tmp_path: Path, trials: int) -> None:
    record = made_study(made_home(tmp_path), trials=max(trials, 1), failed=(0, 1))
    if trials == 0:
        (record.folder / "journal.jsonl").write_bytes(b"")
        record = StudyRecord.read(record.home, "digits")
    text = Reader(page(record)).text
    assert "No trial has an objective yet" in text
    assert ("No trial has been proposed yet" in text) == (trials == 0)


def test_a_running_study_has_a_page(tmp_path: Path) -> None:
    record = made_study(made_home(tmp_path), trials=4, failed=())
    lines = (record.folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (record.folder / "journal.jsonl").write_bytes(b"".join(lines[:-2]))
    text = Reader(page(StudyRecord.read(record.home, "digits"))).text
    assert "running" in text


def test_a_study_without_a_space_has_a_page(tmp_path: Path) -> None:
    search = load_study("digits").search.model_copy(update={"space": {}})
    record = made_study(made_home(tmp_path), trials=1, failed=(), search=search)
    assert "Settings" not in Reader(page(record)).text


def test_the_whole_study_on_the_page_can_be_run(record: StudyRecord, tmp_path: Path) -> None:
    (tmp_path / "again.yaml").write_text(as_yaml(record.study))
    assert load_study(str(tmp_path / "again.yaml"), allow_path=True) == record.study


def test_the_folder_of_files_is_asked_for_beside_the_command(record: StudyRecord) -> None:
    data = TableData(path="rows.csv", label="kind")
    changed = record.study.model_copy(update={"data": data})
    text = Reader(page(dataclasses.replace(record, study=changed))).text
    assert "DENSE_DATA must name the folder that holds rows.csv" in text
    assert "DENSE_DATA" not in Reader(page(record)).text


def test_it_is_written_where_reports_belong(tmp_path: Path) -> None:
    home = made_home(tmp_path)
    path = write_page(crowned(home, made_study(home, trials=3, failed=())))
    assert path == home.path / "reports" / "digits.html"
    assert path.read_text().startswith("<!doctype html>")


def test_the_champion_of_an_earlier_study_is_named_so(tmp_path: Path) -> None:
    home = made_home(tmp_path)
    record = crowned(home, made_study(home, trials=3, failed=()))
    last = record.state.champion[-1]
    facts = {**last.facts, "digest": "0" * 64}
    event = events.Champion(step="crowned", facts=facts, time=last.time + 1)
    state = dataclasses.replace(record.state, champion=(*record.state.champion, event))
    assert "an earlier study" in Reader(page(dataclasses.replace(record, state=state))).text


def test_the_names_of_studies_cannot_carry_markup() -> None:
    with pytest.raises(ValueError, match="pattern"):
        Study.model_validate({"name": EVIL})


def test_samples_of_texts_are_on_the_page(record: StudyRecord) -> None:
    texts = [["first <b>", "frist <b>"], ["second"]]
    around = Surroundings(card=as_card(CARD), texts=texts, sheet_caption="as trial 3 saw them")
    read = Reader(page(record, around)).text
    assert "first <b> frist <b> second" in read and "as trial 3 saw them" in read


def test_samples_of_tables_are_on_the_page(record: StudyRecord) -> None:
    inputs = {"kind": "table", "names": ["ash", "<i>hue"], "normalize": "standard"}
    numbers = [[[0.125, -1.0], [0.25, -1.5]]]
    around = Surroundings(
        card=as_card({**CARD, "inputs": inputs}), numbers=numbers, sheet_caption="as seen"
    )
    read = Reader(page(record, around)).text
    assert "as seen ash <i>hue 0.125 -1 0.25 -1.5" in read
    assert "standard, fitted on the training split" in read


def test_what_is_known_of_the_data_is_on_the_page(record: StudyRecord) -> None:
    rule = {"rule": "suspects", "in": 9, "out": 9, "changed": 0, "examples": ["2 rows", "row 7"]}
    anonymity = {
        "columns": ["age", "zip"],
        "smallest": 1,
        "groups": 9,
        "rows_below": 12,
        "below": 5,
    }
    lengths = {"text": {"median": 7.0, "p95": 40.0}}
    card = {
        **CARD,
        "rules": [rule],
        "anonymity": anonymity,
        "folds": [300, 299],
        "split": {"by": "stratified", "folds": 2, "fold": 1},
        "inputs": {"kind": "text", "vocabulary": 8_000, "lengths": lengths},
    }
    read = Reader(page(record, Surroundings(card=as_card(card)))).text
    for part in (
        "2 rows; row 7", "k = 1: so few rows share their age, zip; 12 rows are among fewer than 5",
        "2 of 300, 299 rows; fold 1 validates",
        "8,000 known; a text has 7 (median), 95 % have at most 40",
    ):  # fmt: skip
        assert part in read


def test_written_texts_stand_with_their_signature_and_the_worst_of_them(tmp_path: Path) -> None:
    record = made_study(made_home(tmp_path), trials=3, failed=())
    best = record.best
    assert best is not None and best.evaluation is not None
    example = TextExample(id=7, score=3.25, reference="el gato", hypothesis=EVIL)
    written = best.evaluation.model_copy(
        update={
            "confusion": (), "classes": (), "reliability": (), "worst": (example,),
            "signatures": {"accuracy": "nrefs:1|tok:13a"},
        }
    )  # fmt: skip
    (best.path / EVALUATION).write_text(written.model_dump_json())
    around = Surroundings(card=as_card(CARD), examples={7: "the cat"})
    read = Reader(page(StudyRecord.read(record.home, "digits"), around))
    assert f"the cat el gato {' '.join(EVIL.split())} 3.2" in read.text
    assert "nrefs:1|tok:13a" in read.text
    assert "Confusion and scores by class" not in read.text and "Calibration" not in read.text


def test_how_sure_the_best_is_stands_on_the_page(reader: Reader) -> None:
    assert "Calibration" in reader.text
    assert ("div", "id", "reliability") in reader.attributes
