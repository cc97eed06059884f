"""`search.space` against the fields that it sets."""

from __future__ import annotations

import pytest

from conf.loading.load import load_study
from conf.loading.trial_values import contains, levels, size
from conf.runtime.errors import BadConfig
from conf.schema.search import Choices, Range

SPACE = "search.space."
EMPTY = [f"{SPACE}{key}=null" for key in load_study("digits").search.space]


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("train.lr.high=20", "the field refuses 20"),
        ("train.lr.low=0.01", "own train.lr 0.001 lies outside"),
        ("train.lrr={low: 1, high: 2}", "did you mean train.lr?"),
        ("lr.x={low: 1, high: 2}", "unknown key"),
        ("evaluate.objective={choices: [accuracy, f1_macro]}", "evaluate may not be searched"),
        ("split.validation={low: 0.1, high: 0.3}", "split may not be searched"),
        ("model.width.type=float", "add type: int"),
        ("train.optimizer={low: 1, high: 2}", "the field refuses 1"),
        ("train.optimizer={choices: [adamw, adma]}", "did you mean adam?"),
        ("train.batch_size={choices: ['64', 32]}", "not a whole number"),
        ("train.batch_size={choices: [64, true]}", "the field refuses true"),
        ("train.batch_size={choices: [32, 128]}", "own train.batch_size 64 lies outside"),
        ("train.steps_per_epoch={low: 1, high: 9, type: int}", "null lies outside"),
        ("augment.shift.p={low: 0, high: 1}", "write augment.shift: {}"),
        ("augment.rotate={choices: [1, 2]}", "unknown key"),
        ("model.width.when={train.optimizer: adam}", "train.optimizer is not searched"),
        ("model.width.when={train.lr: 0.1}", "is not countable"),
        ("model.width.when={train.batch_size: 65}", "train.batch_size is never 65"),
        ("model.width={low: 16, high: 64, type: int, step: 10}", "lies outside"),
    ],
)
def test_values_refused_by_their_field_are_reported(override: str, says: str) -> None:
    with pytest.raises(BadConfig) as caught:
        load_study("digits", [SPACE + override])
    (problem,) = caught.value.problems
    assert problem.key.startswith("search.space.")
    assert problem.where.startswith("override ")
    assert says in str(problem)


@pytest.mark.parametrize(
    "override",
    [
        "train.optimizer={choices: [sgd, adamw]}",
        "train.steps_per_epoch={choices: [null, 5, 9]}",
        "augment.rotate.degrees={low: 0, high: 30, type: int}",
        "augment.rotate.degrees={low: 0, high: 30, step: 5}",
        "augment.rotate.p={choices: [0, 0.5, 1]}",
        "model.dropout={low: 0.05, high: 0.5, scale: logit}",
        "model.width={choices: [32], when: {train.batch_size: [32, 64]}}",
    ],
)
def test_valid_spaces_are_accepted(override: str) -> None:
    load_study("digits", [SPACE + override])


KIND = SPACE + "model.kind={choices: [cnn, mlp]}"
DEPTH = SPACE + "model.depth={low: 0, high: 3, type: int%s}"


def test_a_setting_of_one_kind_needs_the_kind_as_its_condition() -> None:
    load_study("digits", [KIND, DEPTH % ", when: {model.kind: mlp}"])
    for overrides in ([KIND, DEPTH % ""], [DEPTH % ""]):
        with pytest.raises(BadConfig, match="make the kind its condition"):
            load_study("digits", overrides)


def test_cyclic_conditions_are_refused() -> None:
    with pytest.raises(BadConfig, match="cycle"):
        load_study(
            "digits",
            [SPACE + "model.width.when={train.batch_size: 64}",
             SPACE + "train.batch_size.when={model.width: 32}"],
        )  # fmt: skip


def test_the_range_of_an_inactive_key_is_not_checked() -> None:
    given = [SPACE + "model.width={low: 100, high: 200, type: int, when: {train.batch_size: 128}}"]
    assert load_study("digits", given).model.width == 32


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ([SPACE + "train.lr={choices: [1e-3]}"], "one configuration only"),
        ([SPACE + "train.lr={low: 1e-3, high: 1e-3}"], "one configuration only"),
        (["search.trials=4"], "is empty"),
    ],
)
def test_a_space_of_one_point_is_refused(overrides: list[str], says: str) -> None:
    with pytest.raises(BadConfig, match=says):
        load_study("digits", [*EMPTY, *overrides])


def test_one_trial_needs_no_space() -> None:
    assert not load_study("digits", [*EMPTY, "search.trials=1"]).search.space


@pytest.mark.parametrize(
    ("dimension", "count", "inside", "outside"),
    [
        (Range(low=0, high=1), None, (0, 0.5, 1), (-0.1, 1.1, True, "0", None)),
        (Range(low=1, high=4, type="int"), 4, (1, 2.0, 4), (1.5, 5)),
        (Range(low=0.1, high=0.4, step=0.1), 4, (0.1, 0.2, 0.30000000000000004), (0.15, 0.5)),
        (Range(low=0, high=10, type="int", step=4), 3, (0, 8), (10, 2)),
        (Choices(choices=(1, True, "1", None)), 4, (1, 1.0, True, "1", None), (False, "x", 2)),
    ],
    ids=["float", "int", "step", "int step", "choices"],
)
def test_membership_of_a_dimension(
    dimension: Range | Choices, count: int | None, inside: tuple[object, ...],
    outside: tuple[object, ...],
) -> None:  # fmt: skip
    assert levels(dimension) == count
    assert all(contains(dimension, value) for value in inside)
    assert not any(contains(dimension, value) for value in outside)


def test_the_size_of_a_space() -> None:
    two, three = Choices(choices=(1, 2)), Range(low=1, high=3, type="int")
    assert size({}) == 1
    assert size({"a.b": two, "a.c": three}) == 6
    assert size({"a.b": two, "a.c": Range(low=0, high=1)}) is None
