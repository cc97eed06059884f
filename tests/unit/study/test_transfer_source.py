"""What a study learns from earlier ones is copied when it begins, and stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conf.loading.digests import study_digest
from conf.loading.load import load_study
from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.study import Study
from tasks.study.transfer_source import SOURCE_FILE, as_earlier_trials, copy_source_trials
from tasks.study.writer import OpenStudy, check_can_open
from tests.unit.report.made import made_study
from tests.unit.study.examples import ME


@pytest.fixture
def before(home: Home) -> Home:
    """A home with an earlier study of ten trials, one of them failed."""
    made_study(home, trials=10, failed=(5,))
    return home


def next_study(*overrides: str, learn: str = "[digits]") -> Study:
    """A study that learns from it."""
    return load_study("digits", ["name=next", f"search.learn_from={learn}", *overrides])


def test_ranks_and_shared_settings_are_copied_once(before: Home) -> None:
    known = copy_source_trials(before, next_study(), begun=False)
    assert [one.rank for one in known] == pytest.approx([(n + 0.5) / 9 for n in range(9)])
    assert 5 not in {one.number for one in known}
    assert {one.study for one in as_earlier_trials(known)} == {"digits"}
    (before.study("digits") / "journal.jsonl").unlink()  # the earlier study goes its own way
    assert copy_source_trials(before, next_study(), begun=True) == known


def test_what_lies_outside_or_is_not_searched_is_left_out(before: Home) -> None:
    narrow = next_study("search.space.train.lr.high=3e-3", "search.space.model.dropout=null")
    known = copy_source_trials(before, narrow, begun=False)
    assert 0 < len(known) < 9
    assert all(one.values["train.lr"] <= 3e-3 for one in known)  # type: ignore[operator]
    assert not any("model.dropout" in one.values for one in known)


def test_a_study_that_learns_from_none_has_no_copy(before: Home) -> None:
    assert copy_source_trials(before, next_study(learn="[]"), begun=False) == ()
    assert not (before.study("next") / SOURCE_FILE).exists()


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"learn": "[nobody]"}, "no study 'nobody'"),
        ({"learn": "[next]"}, "is this study"),
    ],
    ids=["unknown", "itself"],
)
def test_a_study_that_cannot_be_learned_from_is_refused_before_any_work(
    before: Home, overrides: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BadInput, match=sentence):
        check_can_open(before, next_study(**overrides))


def test_a_study_with_nothing_in_common_is_refused(before: Home) -> None:
    other = load_study(
        "wine",
        ["search.learn_from=[digits]", *(f"search.space.{key}=null" for key in SHARED)],
    )
    with pytest.raises(BadInput, match="shares no searched setting"):
        check_can_open(before, other)


SHARED = sorted(load_study("digits").search.space.keys() & load_study("wine").search.space.keys())


@pytest.mark.parametrize("damage", [None, b"{", b'{"trials": [{"study": 3}]}'], ids=str)
def test_a_copy_that_is_gone_or_damaged_is_said(before: Home, damage: bytes | None) -> None:
    copy_source_trials(before, next_study(), begun=False)
    path: Path = before.study("next") / SOURCE_FILE
    path.unlink() if damage is None else path.write_bytes(damage)
    with pytest.raises(BadInput, match="restore it from a copy"):
        copy_source_trials(before, next_study(), begun=True)


def test_it_is_part_of_the_identity_where_there_is_something_to_learn() -> None:
    plain = load_study("digits", ["name=next"])
    assert study_digest(next_study(learn="[]")) == study_digest(plain)
    assert study_digest(next_study()) != study_digest(plain)


def test_another_strategy_cannot_learn() -> None:
    with pytest.raises(BadInput, match="goes with strategy bayes"):
        next_study("search.strategy=random")


def test_a_begun_study_learns_from_nothing_else(before: Home) -> None:
    from tests.unit.study.examples import asked

    study = next_study()
    with OpenStudy.open(before, study, ME, 0.0) as opened:
        opened.append(asked(0, 1))
    with pytest.raises(BadInput, match=r"search\.learn_from"):
        check_can_open(before, next_study(learn="[]"))
