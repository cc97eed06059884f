"""Raw values of any container become the same inputs."""

from __future__ import annotations

import datetime as dt
import math
import runpy
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.encoding import table_encoder as encoder

CITY = {"name": "city", "kind": "category", "levels": ["NA", "none", "x"]}
SIGNED = {"name": "signed", "kind": "datetime", "start": 0.0, "hours": True}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None), ("", None), (math.nan, None), (pd.NA, None), (pd.NaT, None),
        ("NA", "NA"), ("nan", "nan"), ("none", "none"), (" a ", " a "), ("007", "007"),
        (True, "true"), (np.False_, "false"), (7, "7"), (7.0, "7"), (np.float32(7), "7"),
        (1.5, "1.5"), (dt.date(2020, 1, 2), "2020-01-02"), ([1, "a"], '[1, "a"]'),
        (Decimal("1.10"), "1.10"), (12345678901234567, "12345678901234567"),
    ],
)  # fmt: skip
def test_the_written_form_of_a_value(value: Any, text: str | None) -> None:
    assert encoder.text_of(value) == text


def test_categories_that_look_like_missing_values_are_categories() -> None:
    inputs = encoder.encode({"city": ["NA", "none", "", None, "x"]}, [CITY])
    np.testing.assert_array_equal(inputs[[0, 1, 4]], np.eye(3))
    assert np.isnan(inputs[[2, 3]]).all()


def test_declared_markers_are_missing() -> None:
    assert np.isnan(encoder.encode({"city": ["NA"]}, [CITY], ["NA"])).all()


@pytest.mark.parametrize(
    "values",
    [
        [True, False],
        ["True", "False"],
        ["true", "false"],
        np.array([True, False]),
        pd.Series([True, False], dtype="boolean"),
        pd.Series(["True", "False"], dtype="category"),
    ],
    ids=str,
)
def test_booleans_are_the_same_category_in_every_container(values: Any) -> None:
    for levels in (["true", "false"], ["True", "False"]):
        spec = {"name": "b", "kind": "category", "levels": levels}
        np.testing.assert_array_equal(encoder.encode({"b": values}, [spec]), np.eye(2))


@pytest.mark.parametrize(
    "values",
    [
        [1, 2],
        [1.0, 2.0],
        ["1", "2"],
        ["1.0", "2.0"],
        pd.Series([1, 2], dtype="Int64"),
        pd.Series([1, 2], dtype="float32"),
    ],
    ids=str,
)
def test_integral_floats_are_the_same_category_in_every_container(values: Any) -> None:
    for levels in (["1", "2"], ["1.0", "2.0"]):
        spec = {"name": "b", "kind": "category", "levels": levels}
        np.testing.assert_array_equal(encoder.encode({"b": values}, [spec]), np.eye(2))


def test_written_forms_that_differ_stay_apart() -> None:
    levels = {"1": 0, "01": 1, "001": 2, "1.10": 3, "1.1": 4}
    assert [encoder.find_level(level, levels) for level in levels] == [0, 1, 2, 3, 4]
    assert encoder.find_level("7", {"007": 0}) is None
    assert encoder.find_level("True", {"true": 0, "TRUE": 1}) is None, "ambiguous"


def test_numbers_in_a_declared_format() -> None:
    spec = {"name": "n", "kind": "number", "decimal": ",", "thousands": ".", "units": ["€", "%"]}
    given = ["1.234,50 €", "12 %", "", "-3"]
    np.testing.assert_allclose(
        encoder.encode({"n": given}, [spec])[:, 0], [1234.5, 12, math.nan, -3]
    )


@pytest.mark.parametrize("value", ["1_000", "abc", "1,5"])
def test_what_is_no_number_is_refused_with_column_and_row(value: str) -> None:
    with pytest.raises(ValueError, match=r"'n' holds '.*' in row 2, which is no number"):
        encoder.encode({"n": ["1", value]}, [{"name": "n", "kind": "number"}])


@pytest.mark.parametrize(
    "value",
    [
        "2020-02-29T06:00:00",
        "2020-02-29 06:00:00",
        "2020-02-29T06:00:00Z",
        "2020-02-29T07:00:00+01:00",
        dt.datetime(2020, 2, 29, 6),
        pd.Timestamp("2020-02-29 06:00"),
        np.datetime64("2020-02-29T06:00:00"),
    ],
    ids=repr,
)
def test_a_time_stamp_is_the_same_in_every_container(value: Any) -> None:
    days, _, _, week_sin, week_cos, hour_sin, hour_cos = encoder.encode(
        {"signed": [value]}, [SIGNED]
    )[0]
    assert days == pytest.approx(18321.25)
    assert (hour_sin, hour_cos) == pytest.approx((1.0, 0.0))
    saturday = 2 * math.pi * 5 / 7
    assert (week_sin, week_cos) == pytest.approx((math.sin(saturday), math.cos(saturday)))


def test_times_of_day_and_durations() -> None:
    specs = [{"name": "t", "kind": "time"}, {"name": "d", "kind": "duration"}]
    columns = {
        "t": ["06:00", dt.time(6), None],
        "d": ["1 days 00:00:10", dt.timedelta(days=1, seconds=10), np.timedelta64(86_410, "s")],
    }
    inputs = encoder.encode(columns, specs)
    np.testing.assert_allclose(inputs[:2, :2], [[1, 0], [1, 0]], atol=1e-12)
    assert np.isnan(inputs[2, :2]).all()
    assert inputs[:, 2].tolist() == [86_410.0] * 3


def test_categories_that_training_never_saw_are_counted() -> None:
    spec = {**CITY, "rare": ["y"]}
    found = encoder.unseen({"city": ["x", "z", "z", "y", None, "None"]}, [spec])
    assert found == {"city": {"z": 2, "None": 1}}


@given(
    st.lists(
        st.tuples(
            st.floats(allow_nan=False, allow_infinity=False) | st.none(),
            st.sampled_from(["NA", "none", "x", None]),
            st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1)) | st.none(),
        ),
        min_size=1,
    )
)
def test_decoded_columns_encode_to_the_same_inputs(rows: list[tuple[Any, ...]]) -> None:
    specs = [{"name": "n", "kind": "number"}, CITY, SIGNED]
    columns = dict(zip(("n", "city", "signed"), map(list, zip(*rows, strict=True)), strict=True))
    inputs = encoder.encode(columns, specs)
    again = encoder.encode(encoder.decode(inputs, specs), specs)
    np.testing.assert_allclose(again, inputs, atol=1e-6)


def test_it_runs_alone() -> None:
    alone = runpy.run_path(encoder.__file__)
    np.testing.assert_array_equal(alone["encode"]({"city": ["x"]}, [CITY]), [[0, 0, 1]])
