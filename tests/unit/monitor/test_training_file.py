"""A champion's own training file raises no alarm, whatever training did with missing values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conf.runtime.home import Home
from conf.schema.champion import Monitor
from conf.schema.study import Study
from data.card import TableInputs
from tasks.monitor.drift import compare
from tasks.packaging.drift_features import (
    DriftPredictions,
    complete_rows,
    feature_columns,
    features_of,
)
from tasks.packaging.drift_reference import build
from tasks.packaging.raw_rows import read_rows
from tasks.packaging.table_frame import read_frame, select_rows
from tasks.prepare import prepare

ROWS = 400


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    random = np.random.default_rng(0)
    age, height = random.normal(40, 10, ROWS), random.normal(170, 8, ROWS)
    frame = pd.DataFrame(
        {
            "age": np.where(random.random(ROWS) < 0.2, np.nan, age),
            "height": height,
            "city": random.choice(["Bonn", "Rome", "Oslo"], ROWS),
            "day": pd.date_range("2024-01-01", periods=ROWS).astype(str),
            "label": np.where(height + age > 210, "yes", "no"),
        }
    )
    frame.loc[::7, "city"] = None
    frame.to_csv(tmp_path / "rows.csv", index=False)
    monkeypatch.setenv("DENSE_DATA", str(tmp_path))
    return tmp_path / "rows.csv"


@pytest.mark.parametrize("missing", ["drop", "keep", "mean", "median"])
def test_the_training_file_raises_no_alarm(missing: str, file: Path, home: Home) -> None:
    study = Study.model_validate(
        {
            "name": "own",
            "data": {"source": "table", "path": str(file), "label": "label"},
            "clean": {"missing": missing},
            "split": {"by": "random"},
            "model": {"kind": "mlp", "width": 8},
        }
    )
    prepared = prepare(study, home)
    inputs = prepared.card.inputs
    assert isinstance(inputs, TableInputs)
    splits = [read_rows(split, inputs).values for split in (prepared.train, prepared.validation)]
    frame = read_frame(file, inputs, study.data.model_dump())
    complete = complete_rows(frame, inputs)
    assert complete.all() == (missing != "drop")
    features = features_of(select_rows(frame, np.flatnonzero(complete)), inputs)
    result = compare(
        build(splits, inputs, None),
        features,
        DriftPredictions(None, (), np.zeros((len(features), 0), np.float32)),
        Monitor(),
        columns=feature_columns(features.names, inputs),
    )
    assert [test.why for test in result.tests if test.raised] == []
    assert {each.name for each in result.features} == {"age", "height", "city", "day"}
    assert all(abs(each.now) < 1e6 for each in result.features)
