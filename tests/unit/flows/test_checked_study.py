from __future__ import annotations

import sys

import pytest

from conf.runtime.errors import BadInput
from flows.study.checked_study import runnable


@pytest.mark.parametrize(
    ("constraint", "said"),
    [
        ("foo < 1", "foo is neither a number nor a searched setting"),
        ("train.lr <", "ends too early"),
        ("train.lr < 0.00001", "violates the constraint"),
        ("(" * 5_000 + "train.lr" + ")" * 5_000 + " < 1", "nested too deeply"),
        ("train.lr" + " + train.lr" * 5_000 + " < 1", "nested too deeply"),
    ],
    ids=["unknown", "torn", "not-kept", "deep", "long"],
)
def test_a_constraint_that_no_search_could_keep_is_refused(constraint: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        runnable("digits", [f"search.constraints=['{constraint}']"])


def test_a_constraint_that_trial_0_keeps_is_taken() -> None:
    study = runnable("digits", ["search.constraints=['train.lr < 0.5']"])
    assert study.search.constraints == ("train.lr < 0.5",)


def test_a_strategy_whose_library_is_missing_is_said_before_any_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert runnable("digits", ["search.strategy=tpe"]).search.strategy == "tpe"
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(BadInput, match=r"dense\[tpe\]"):
        runnable("digits", ["search.strategy=tpe"])


def test_smote_with_values_that_stay_missing_is_refused_with_the_remedy() -> None:
    smote = ["augment.oversample.kind=smote"]
    assert runnable("digits", smote).augment.oversample is not None
    with pytest.raises(BadInput, match=r"clean\.missing=keep leaves .*; set clean\.missing=median"):
        runnable("digits", [*smote, "clean.missing=keep"])
