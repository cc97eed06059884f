"""Data sets that ship with scikit-learn."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from conf.schema.data import BuiltinData

if TYPE_CHECKING:  # Arrow is imported only when something is read
    from data.sources.rows import Rows

FILES = {
    "digits": "digits.csv.gz",
    "wine": "wine_data.csv",
    "breast-cancer": "breast_cancer.csv",
    "iris": "iris.csv",
    "diabetes": "diabetes_data_raw.csv.gz",
}


class BuiltinSource:
    """One of scikit-learn's own data sets."""

    def __init__(self, data: BuiltinData) -> None:
        self._name = data.name
        found = importlib.util.find_spec("sklearn")
        assert found is not None and found.origin is not None  # a dependency of the project
        folder = Path(found.origin).parent / "datasets" / "data"
        self.files: Sequence[Path] = [folder / FILES[data.name]]
        if data.name == "diabetes":
            self.files = [*self.files, folder / "diabetes_target.csv.gz"]
        self.pinned = ""
        self.facts = {"place": f"scikit-learn, {data.name}", "licence": "BSD-3-Clause"}

    def read(self, scratch: Path) -> Rows:  # noqa: ARG002
        """Read the rows with scikit-learn's own reader."""
        import numpy as np
        import pyarrow as pa
        from sklearn import datasets

        from data.sources.rows import FixedListColumn, Rows, fixed_list

        loaders = {
            "digits": datasets.load_digits,
            "wine": datasets.load_wine,
            "breast-cancer": datasets.load_breast_cancer,
            "iris": datasets.load_iris,
        }
        if self._name == "diabetes":
            return _diabetes()
        bunch = loaders[self._name]()
        names = tuple(str(name) for name in bunch.target_names)
        columns = {
            "id": pa.array(np.arange(len(bunch.target), dtype=np.int64)),
            "label": pa.array([names[target] for target in bunch.target]),
        }
        if self._name == "digits":
            return Rows(
                "image",
                pa.table({**columns, "place": columns["id"]}),
                shape=(8, 8, 1),
                high=16.0,
                classes=names,
                pixels=FixedListColumn([bunch.data.astype(np.uint8)]),
            )
        columns["features"] = fixed_list(bunch.data.astype(np.float64))
        features = tuple(str(name) for name in bunch.feature_names)
        return Rows(
            "table", pa.table(columns), shape=(len(features),), names=features, classes=names
        )


def _diabetes() -> Rows:
    """Measurements of 442 patients, and a number that says how their disease went on."""
    import numpy as np
    import pyarrow as pa
    from sklearn.datasets import load_diabetes

    from data.sources.rows import Rows, fixed_list

    bunch = load_diabetes(scaled=False)
    columns = {
        "id": pa.array(np.arange(len(bunch.target), dtype=np.int64)),
        "label": pa.array(bunch.target.astype(np.float64)),
        "features": fixed_list(bunch.data.astype(np.float64)),
    }
    names = tuple(map(str, bunch.feature_names))
    return Rows("table", pa.table(columns), shape=(len(names),), names=names)
