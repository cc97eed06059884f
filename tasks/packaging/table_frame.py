"""Rows of a table with words: a frame of the columns that its users have, not of its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from conf.runtime.errors import BadInput
from data.card import Inputs, TableInputs
from data.encoding import one_hot

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.types import Schema

    RawValues: TypeAlias = NDArray[Any] | pd.DataFrame
    """Raw rows as a packed model takes them: an array, a frame where columns are categorical."""

CODE = Path(one_hot.__file__)
"""What a packed model reads its columns with, alone."""


def has_words(inputs: Inputs) -> TypeGuard[TableInputs]:
    """Whether rows are frames: those of a table with categorical columns."""
    return isinstance(inputs, TableInputs) and bool(inputs.levels)


def select_rows(values: RawValues, rows: NDArray[np.int64]) -> RawValues:
    """The raw rows at these positions."""
    return values[rows] if isinstance(values, np.ndarray) else values.iloc[rows]


def frame(matrix: NDArray[Any], inputs: TableInputs) -> pd.DataFrame:
    """Prepared features as columns that the model reads as the same features."""
    import pandas as pd

    columns = one_hot.decoded(matrix, inputs.names, inputs.levels)
    return pd.DataFrame(columns).astype(dict.fromkeys(inputs.levels, object))


def card(inputs: Inputs) -> dict[str, Any]:
    """What the served code needs to read columns; nothing where rows are arrays."""
    if not has_words(inputs):
        return {}
    return {"names": inputs.names, "levels": inputs.levels}


def artifacts(facts: Mapping[str, Any]) -> dict[str, Path]:
    """The file that reads columns, where a served card says that there are such."""
    return {"columns": CODE} if "levels" in facts else {}


def schema(facts: Mapping[str, Any]) -> Schema:
    """The columns that a served model takes, by its card.

    Numbers are of any type: MLflow refuses whole numbers where it is told to take fractions.
    """
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType

    numbers = one_hot.number_names(facts["names"], facts["levels"])
    words = [ColSpec("string", name) for name in facts["levels"]]
    return Schema([*(ColSpec(AnyType(), name) for name in numbers), *words])


def read_frame(file: Path, inputs: TableInputs, settings: Mapping[str, Any]) -> pd.DataFrame:
    """Rows of a file, read as a study's table is.

    Args:
        file: `.csv`, `.tsv`, `.parquet` or `.jsonl` with the columns that the model takes.
        inputs: what the model says of its inputs.
        settings: its study's `data`, of which the separator and the encoding are taken.

    Raises:
        BadInput: the file cannot be read, lacks a column, or holds other rows.
    """
    import pyarrow as pa

    from data.sources.tabular_files import Broken, batches, columns_of

    how = {"separator": settings.get("separator"), "encoding": settings.get("encoding", "utf-8")}
    found = columns_of(file, how["separator"], str(how["encoding"]))
    numbers = one_hot.number_names(inputs.names, inputs.levels)
    types = dict.fromkeys(numbers, pa.float64()) | dict.fromkeys(inputs.levels, pa.string())
    if missing := [name for name in types if name not in found]:
        raise BadInput(f"{file}: column {missing[0]!r} is missing; it has {', '.join(found)}")
    broken = Broken()
    parts = list(batches(file, types, broken, **how))
    if broken.count:
        raise BadInput(f"{file} cannot be read as a table ({broken.examples[0]}); mend the line")
    rows = pa.Table.from_batches(parts, pa.schema(types)).to_pandas()
    if not len(rows):
        raise BadInput(f"{file} has no rows; give at least one")
    return rows
