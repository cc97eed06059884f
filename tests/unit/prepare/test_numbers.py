"""Tables whose target is a number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.study import Study
from tasks.packaging.raw_rows import read_rows
from tasks.prepare import Prepared, prepare


def prepared(tmp_path: Path, targets: list[str]) -> Prepared:
    home = Home.open(tmp_path / "home")
    (home.path / "sources").mkdir()
    rows = [f"{number},{number % 7},{target}" for number, target in enumerate(targets)]
    (home.path / "sources" / "t.csv").write_text("\n".join(["a,b,price", *rows]) + "\n")
    study = {
        "name": "prices",
        "data": {"source": "table", "path": "t.csv", "task": "regression", "label": "price"},
        "clean": {"outliers": {"kind": "iqr"}},
        "split": {"by": "random", "folds": 4},
        "evaluate": {"objective": "mae", "metrics": ["mae"]},
        "search": {"trials": 1},
    }
    return prepare(Study.model_validate(study), home)


def test_they_stay_numbers_and_rows_without_one_are_dropped(tmp_path: Path) -> None:
    made = prepared(tmp_path, ["", "", "", *(f"{n}.25" for n in range(40))])
    assert made.card.missing == 3 and made.card.rows.kept == 40
    targets = read_rows(made.train, made.card.inputs).targets
    assert targets.dtype == np.float64
    assert made.card.target.deviation == pytest.approx(targets.std())
    assert sum(made.card.folds) == 40 - made.card.rows.test


@pytest.mark.parametrize(
    ("targets", "reason"),
    [
        (["1.5", "much", *"123456"], "holds 'much', not a number, but the task is regr"),
        (["2.5"] * 9, "every row has the number 2.5"),
        (
            ["1", "", "", "2"],
            r"2 rows are left after .*; removed: 2 by missing \(see clean.missing\)$",
        ),
    ],
    ids=["word", "constant", "few"],
)
def test_what_cannot_be_predicted_is_refused(
    tmp_path: Path, targets: list[str], reason: str
) -> None:
    with pytest.raises(BadInput, match=reason):
        prepared(tmp_path, targets)
