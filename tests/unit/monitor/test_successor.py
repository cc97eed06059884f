from __future__ import annotations

import pytest

from conf.loading.load import load_study
from conf.runtime.errors import BadInput
from tasks.monitor.successor import successor_of

DAY = 1_795_305_600.0  # 2026-11-22


@pytest.mark.parametrize(
    "overrides",
    [
        pytest.param([], id="as shipped"),
        pytest.param(
            ["train.lr=3e-3", "augment.rotate.degrees=5", "search.space.model.width=null"],
            id="changed",
        ),
        pytest.param(
            ["model={kind: mlp, width: 32}", "search.space.model.dropout=null"],
            id="another model",
        ),
        pytest.param(["search.space.train.lr.high=0.2", "champion.retest=3"], id="another range"),
    ],
)
def test_it_is_the_same_study_again_under_a_new_name(overrides: list[str]) -> None:
    study = load_study("digits", overrides)
    found = successor_of(study, DAY)
    again = load_study(found.study, found.overrides)
    assert (again.name, again.champion.model) == ("digits-20261122", "digits")
    assert again.search.learn_from == ("digits",)
    for section in ("data", "clean", "split", "augment", "model", "train", "evaluate"):
        assert getattr(again, section) == getattr(study, section)
    assert again.search.space == study.search.space
    assert again.champion.retest == study.champion.retest


def test_a_successor_has_a_successor() -> None:
    first = successor_of(load_study("digits"), DAY)
    second = successor_of(load_study(first.study, first.overrides), DAY + 86_400)
    again = load_study(second.study, second.overrides)
    assert (again.name, again.champion.model) == ("digits-20261123", "digits")
    assert again.search.learn_from == ("digits-20261122",)


def test_a_successor_of_today_is_not_followed_today() -> None:
    first = successor_of(load_study("digits"), DAY)
    with pytest.raises(BadInput, match="successor itself"):
        successor_of(load_study(first.study, first.overrides), DAY + 3_600)


def test_a_search_that_cannot_learn_starts_anew() -> None:
    found = successor_of(load_study("digits", ["search.strategy=random"]), DAY)
    assert load_study(found.study, found.overrides).search.learn_from == ()


def test_a_study_of_no_file_has_none() -> None:
    study = load_study("digits", ["name=elsewhere"])
    with pytest.raises(BadInput, match="no study file is called 'elsewhere'"):
        successor_of(study, DAY)
