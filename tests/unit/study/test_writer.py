"""Opening a study: its identity, its settings, its files on the real disk."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from conf.runtime.errors import BadInput, Held
from conf.runtime.home import Home
from conf.schema.run import Resources
from conf.schema.search import Range
from conf.schema.study import Study
from conf.schema.train import Train
from tasks.study.events import Changed
from tasks.study.journal import read
from tasks.study.lock import holder_of
from tasks.study.writer import OpenStudy, check_can_open
from tests.unit.study.examples import ME, STUDY, asked, attempt, complete, other


def test_a_study_is_there_again_when_it_is_opened_again(home: Home) -> None:
    with OpenStudy.open(home, STUDY, ME, 0.0) as study:
        study.append(asked(0, 2), attempt(0))
        state = study.append(complete(0, 0.5))
        assert holder_of(study.folder / "lock") == ME
    with OpenStudy.open(home, STUDY, ME, 1.0) as again:
        assert again.state == state
        assert again.torn == 0
    assert holder_of(home.study("digits") / "lock") is None


def test_what_does_not_fit_is_not_written(home: Home) -> None:
    with OpenStudy.open(home, STUDY, ME, 0.0) as study:
        with pytest.raises(BadInput, match="never asked"):
            study.append(asked(0, 1), attempt(5))
        assert study.state.asked == 0
        assert read(study.folder / "journal.jsonl") == ((), 0)


def test_an_open_study_is_held(home: Home) -> None:
    with OpenStudy.open(home, STUDY, ME, 0.0), pytest.raises(Held):
        OpenStudy.open(home, STUDY, ME, 0.0)


SPACE = {"train.lr": Range(low=1e-3, high=0.1)}


@pytest.mark.parametrize(
    ("changes", "listed"),
    [
        pytest.param({"seed": 7}, "seed 0 -> 7", id="seed"),
        pytest.param({"train": Train(lr=0.01)}, "train.lr 0.001 -> 0.01", id="a setting"),
        pytest.param(
            {"search": STUDY.search.model_copy(update={"space": SPACE})},
            "search.space.train.lr.low 0.0001 -> 0.001",
            id="the space",
        ),
    ],
)
def test_another_study_under_the_name_is_refused(
    home: Home, changes: dict[str, object], listed: str
) -> None:
    with OpenStudy.open(home, STUDY, ME, 0.0) as study:
        study.append(asked(0, 1))
        before = {path: path.read_bytes() for path in study.folder.iterdir()}
    with pytest.raises(BadInput) as error:
        OpenStudy.open(home, other(**changes), ME, 1.0)
    assert listed in str(error.value)
    assert "name=<new name>" in str(error.value)
    assert "train.epochs" not in str(error.value)
    assert {path: path.read_bytes() for path in before if path.name != "lock"} == {
        path: content for path, content in before.items() if path.name != "lock"
    }
    OpenStudy.open(home, STUDY, ME, 2.0).close()


def test_a_study_of_which_nothing_was_asked_gives_way(home: Home) -> None:
    with OpenStudy.open(home, STUDY, ME, 0.0) as study:
        (study.folder / "data.json").write_text('{"key": "of the data as it was"}')
    mended = other(seed=7)
    with OpenStudy.open(home, mended, ME, 1.0) as study:
        assert not (study.folder / "data.json").exists(), "it would train on the first one's data"
        study.append(asked(0, 1))
    OpenStudy.open(home, mended, ME, 2.0).close()
    with pytest.raises(BadInput, match="seed 7 -> 0"):
        OpenStudy.open(home, STUDY, ME, 3.0)


def test_what_opening_would_raise_is_known_without_it(home: Home) -> None:
    check_can_open(home, STUDY)
    assert not home.study("digits").exists()
    with OpenStudy.open(home, STUDY, ME, 0.0) as study:
        study.append(asked(0, 1))
        with pytest.raises(Held, match="process"):
            check_can_open(home, STUDY)
    with pytest.raises(BadInput, match="seed 0 -> 7"):
        check_can_open(home, other(seed=7))
    journal = study.folder / "journal.jsonl"
    journal.write_bytes(b"{}\n" + journal.read_bytes())
    with pytest.raises(BadInput, match="line 1"):
        check_can_open(home, STUDY)


def test_each_change_of_another_setting_is_one_line(home: Home) -> None:
    OpenStudy.open(home, STUDY, ME, 0.0).close()
    more = other(
        search=STUDY.search.model_copy(update={"trials": 64}), resources=Resources(threads=2)
    )
    for study, changes in [
        (more, {"resources.threads": (1, 2), "search.trials": (16, 64)}),
        (more, None),
        (STUDY, {"resources.threads": (2, 1), "search.trials": (64, 16)}),
        (STUDY, None),
    ]:
        before, _ = read(home.study("digits") / "journal.jsonl")
        OpenStudy.open(home, study, ME, 3.0).close()
        after, _ = read(home.study("digits") / "journal.jsonl")
        wanted = [Changed(changes=changes, time=3.0)] if changes else []
        assert list(after[len(before) :]) == wanted


def test_the_first_configuration_stays_as_it_was_written(home: Home) -> None:
    OpenStudy.open(home, STUDY, ME, 0.0).close()
    path = home.study("digits") / "study.json"
    first = path.read_bytes()
    OpenStudy.open(home, other(resources=Resources(threads=2)), ME, 1.0).close()
    assert path.read_bytes() == first
    assert Study.model_validate_json(first) == STUDY


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda folder: (folder / "study.json").write_text("{}"), id="bad study.json"),
        pytest.param(lambda folder: (folder / "study.json").unlink(), id="no study.json"),
    ],
)
def test_a_damaged_folder_is_refused_and_given_back(home: Home, damage) -> None:  # type: ignore[no-untyped-def]
    with OpenStudy.open(home, STUDY, ME, 0.0) as study:
        study.append(asked(0, 1))
    damage(home.study("digits"))
    with pytest.raises(BadInput, match=r"study\.json"):
        OpenStudy.open(home, STUDY, ME, 0.0)
    assert holder_of(home.study("digits") / "lock") is None


def test_a_line_that_does_not_fit_is_named_and_the_study_given_back(home: Home) -> None:
    with OpenStudy.open(home, STUDY, ME, 0.0) as study:
        study.append(asked(0, 1), attempt(0))
    path = home.study("digits") / "journal.jsonl"
    path.write_bytes(path.read_bytes() + path.read_bytes().splitlines(keepends=True)[1])
    with pytest.raises(BadInput, match=r"journal\.jsonl, line 3: .*it is running"):
        OpenStudy.open(home, STUDY, ME, 0.0)
    assert holder_of(home.study("digits") / "lock") is None


@pytest.mark.parametrize("seed", range(4))
def test_a_journal_cut_anywhere_opens(home: Home, seed: int, tmp_path: Path) -> None:
    with OpenStudy.open(home, STUDY, ME, 0.0) as study:
        study.append(asked(0, 2), attempt(0), attempt(1), complete(1, 0.1), complete(0, 0.5))
        path = study.folder / "journal.jsonl"
    whole = path.read_bytes()
    for cut in random.Random(seed).sample(range(len(whole)), 25):
        path.write_bytes(whole[:cut])
        with OpenStudy.open(home, STUDY, ME, 0.0) as again:
            assert again.torn == cut - len(whole[:cut].rpartition(b"\n")[0] or b"") - (
                1 if b"\n" in whole[:cut] else 0
            )
            assert again.state.asked == (2 if b"\n" in whole[:cut] else 0)
