"""The space: positions and values, conditions, constraints."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.runtime.errors import BadInput
from tasks.suggest import Optimizer
from tasks.suggest.space.constraints import parse
from tasks.suggest.space.enumeration import all_rows, configuration_count
from tasks.suggest.space.initial_design import spread
from tasks.suggest.space.parameters import Integer, Listed, Real
from tasks.suggest.space.space import Space

numbers = st.floats(-1e6, 1e6, allow_nan=False)


@st.composite
def dimensions(draw: st.DrawFn) -> dict[str, Any]:
    """Any sound dimension, conditions apart."""
    kind = draw(st.sampled_from(["real", "log", "logit", "int", "log int", "step", "choices"]))
    if kind == "choices":
        scalars = st.one_of(st.integers(-9, 9), st.booleans(), st.text(max_size=3), st.none())
        unique = draw(st.lists(scalars, min_size=1, max_size=5, unique_by=repr))
        return {"choices": unique, "ordered": draw(st.booleans())}
    if kind == "logit":
        low = draw(st.floats(0.001, 0.5))
        return {"low": low, "high": draw(st.floats(low, 0.999)), "scale": "logit"}
    if kind in ("int", "log int"):
        low = draw(st.integers(1, 1000))
        entry = {"low": low, "high": low + draw(st.integers(0, 5000)), "type": "int"}
        return entry | ({"scale": "log"} if kind == "log int" else {})
    low = draw(st.floats(1e-6, 1e3) if kind == "log" else numbers)
    high = draw(st.floats(low, abs(low) * 10 + 1.0))
    entry = {"low": low, "high": high}
    if kind == "step" and high > low:
        return entry | {"step": (high - low) / draw(st.integers(1, 9))}
    return entry | ({"scale": "log"} if kind == "log" else {})


spaces = st.lists(dimensions(), min_size=1, max_size=4).map(
    lambda found: {f"m.x{index}": dimension for index, dimension in enumerate(found)}
)


@given(spaces, st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_every_suggestion_is_a_configuration_of_the_space(space: dict, seed: int) -> None:
    parsed = Space(space)
    for strategy in ("random", "grid"):
        for suggestion in Optimizer(space, strategy=strategy, seed=seed).ask(5):
            assert json.loads(json.dumps(suggestion.values)) == suggestion.values
            assert parsed.canonical(suggestion.values) == suggestion.values
            assert set(suggestion.values) == set(space)
    assert Space(json.loads(json.dumps(parsed.description))).description == parsed.description


@given(spaces, st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_snapped_rows_decode_and_encode_to_themselves(space: dict, number: int) -> None:
    parsed = Space(space)
    row = spread(parsed, number, 0)
    assert parsed.snap(row[None, :])[0] == pytest.approx(row, abs=1e-9)
    countable = np.array([parameter.levels is not None for parameter in parsed.parameters])
    again = parsed.encode(parsed.decode(row))
    assert again[countable] == pytest.approx(row[countable], abs=1e-9)


@given(dimensions(), st.floats(0, 1))
@settings(max_examples=200, deadline=None)
def test_a_value_survives_the_round_trip(dimension: dict, position: float) -> None:
    (parameter,) = Space({"m.x": dimension}).parameters
    value = parameter.value(position)
    there = parameter.position(value)
    assert 0.0 <= there <= 1.0
    if not isinstance(parameter, Real):
        assert parameter.value(there) == value


def test_every_integer_has_its_own_cell_on_a_log_scale() -> None:
    parameter = Integer("m.x", 1, 8, "log")
    values = {parameter.value(position) for position in np.linspace(0, 1, 500)}
    assert values == set(range(1, 9))


def test_steps_are_short_decimals() -> None:
    (parameter,) = Space({"m.x": {"low": 0.0, "high": 0.5, "step": 0.1}}).parameters
    assert isinstance(parameter, Listed)
    assert parameter.values == (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)


def test_reals_are_rounded_to_six_digits_and_stay_inside() -> None:
    parameter = Real("m.x", 1e-5, 1e-1, "log")
    assert len(f"{parameter.value(0.123456789):.15g}".lstrip("0.").split("e")[0]) <= 7
    narrow = Real("m.x", 1.0, 1.0000001)
    assert 1.0 < narrow.value(0.5) < 1.0000001


@pytest.mark.parametrize(
    ("choices", "ordered"),
    [([32, 64, 128], True), ([64, 32], False), (["a", "b"], False), ([False, True], False)],
    ids=["rising", "falling", "names", "flags"],
)
def test_ascending_numbers_are_ordered(choices: list, ordered: bool) -> None:
    assert Space({"m.x": {"choices": choices}}).parameters[0].ordered is ordered


def test_true_is_not_one() -> None:
    space = Space({"m.x": {"choices": [1, True]}})
    assert space.canonical({"m.x": True}) == {"m.x": True}
    assert space.key({"m.x": True}) != space.key({"m.x": 1})
    assert space.key({"m.x": 1.0}) == space.key({"m.x": 1})


NESTED = {
    "a.kind": {"choices": ["p", "q"]},
    "a.depth": {"low": 1, "high": 3, "type": "int", "when": {"a.kind": "q"}},
    "a.norm": {"choices": [True, False], "when": {"a.depth": [2, 3]}},
}


def test_a_conditional_space_counts_what_differs() -> None:
    space = Space(NESTED)
    assert configuration_count(space) == 1 + 1 + 2 * 2  # p; q, 1; q, 2 or 3, either norm
    rows = [space.decode(row) for row in all_rows(space)]
    assert len({space.key(values) for values in rows}) == len(rows) == 6


def test_inactive_settings_in_given_values_do_not_count() -> None:
    space = Space(NESTED)
    assert space.key({"a.kind": "p", "a.depth": 2, "a.norm": True}) == space.key({"a.kind": "p"})


def test_constraints_hold_for_every_suggestion() -> None:
    space = {
        "m.width": {"low": 1, "high": 64, "type": "int"},
        "m.depth": {"low": 1, "high": 16, "type": "int"},
        "m.rate": {"low": 0.0, "high": 1.0},
    }
    limits = ["m.width * m.depth <= 128", "m.rate < (m.depth + 2) / 18"]
    for strategy in ("bayes", "random", "grid", "sobol"):
        optimizer = Optimizer(space, strategy=strategy, constraints=limits)
        for _ in range(4):
            for suggestion in optimizer.ask(6):
                v = suggestion.values
                assert v["m.width"] * v["m.depth"] <= 128
                assert v["m.rate"] < (v["m.depth"] + 2) / 18
                optimizer.tell(suggestion.number, v["m.rate"] - v["m.width"])
        copy = Optimizer.from_json(optimizer.to_json())
        assert copy.ask(3) == optimizer.ask(3)


@pytest.mark.parametrize(
    ("text", "satisfied"),
    [
        ("m.a + m.b <= 0.3", True),
        ("m.a + m.b == 0.3", True),
        ("m.a + m.b > 0.3", False),
        ("m.a + m.b != 0.3", False),
        ("m.a + m.b >= 0.3001", False),
    ],
)
def test_constraints_are_compared_up_to_rounding(text: str, satisfied: bool) -> None:
    constraint = parse(text, {"m.a": True, "m.b": True})
    assert constraint.holds({"m.a": 0.1, "m.b": 0.2}) == satisfied


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("m.a", "ends too early"),
        ("m.a <= 1 <= 2", "left over"),
        ("m.z <= 1", "neither a number"),
        ("m.c <= 1", "not numbers"),
        ("(m.a <= 1", "not closed"),
        ("m.a ; 1", "is not expected here"),
        ("print <= 1", "neither a number"),
        ("m.a + 1", "ends too early"),
        ("__import__('os') <= 1", "is not expected here"),
    ],
    ids=str,
)
def test_an_invalid_constraint_is_bad_input(text: str, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        Space({"m.a": {"low": 0, "high": 1}, "m.c": {"choices": ["x", "y"]}}, [text])


def test_an_enqueued_configuration_that_violates_a_constraint_is_bad_input() -> None:
    optimizer = Optimizer({"m.a": {"low": 0, "high": 1}}, constraints=["m.a <= 0.5"])
    with pytest.raises(BadInput, match="violates the constraint"):
        optimizer.enqueue({"m.a": 0.9})


def test_a_good_user_prior_saves_trials_and_a_wrong_one_is_outweighed() -> None:
    def best(prior: dict | None) -> list[float]:
        rate = {"low": 1e-6, "high": 1.0, "scale": "log", "prior": prior}
        space = {"t.lr": rate, "t.x": {"low": 0.0, "high": 1.0}}
        optimizer, found, trace = Optimizer(space, seed=2), 99.0, []
        for _ in range(8):
            for suggestion in optimizer.ask(3):
                lr, x = suggestion.values["t.lr"], suggestion.values["t.x"]
                loss = (math.log10(lr) + 3.5) ** 2 + (x - 0.6) ** 2
                found = min(found, loss)
                optimizer.tell(suggestion.number, loss)
            trace.append(found)
        return trace

    right, wrong = best({"around": 3e-4, "width": "3x"}), best({"around": 0.3, "width": "3x"})
    assert right[0] < best(None)[0]
    assert wrong[-1] < 0.05


@pytest.mark.parametrize(
    "prior",
    [{"around": 5.0}, {"around": 0.5, "width": "0.5x"}, {"around": 0.5, "width": -1}],
    ids=["outside", "factor below one", "negative"],
)
def test_an_invalid_user_prior_is_bad_input(prior: dict) -> None:
    with pytest.raises(BadInput, match="prior"):
        Space({"m.a": {"low": 0.0, "high": 1.0, "prior": prior}})
