"""Raw rows of a table as a frame: the columns that its users have, not the model's inputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from conf.runtime.errors import BadInput
from conf.runtime.types import Ints
from data.card import Inputs, TableInputs
from data.encoding import table_encoder

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.types import Schema

    RawValues: TypeAlias = NDArray[Any] | pd.DataFrame
    """Raw rows as a packed model takes them: an array, or a frame of named columns."""

CODE = Path(table_encoder.__file__)
"""The file that a packed model encodes its columns with, alone."""


def has_columns(inputs: Inputs) -> TypeGuard[TableInputs]:
    """Whether rows are frames of named columns."""
    return isinstance(inputs, TableInputs) and bool(inputs.specs)


def select_rows(values: RawValues, rows: Ints) -> RawValues:
    """The raw rows at these positions."""
    return values[rows] if isinstance(values, np.ndarray) else values.iloc[rows]


def frame(matrix: NDArray[Any], inputs: TableInputs) -> pd.DataFrame:
    """Prepared features as columns that the model encodes as the same features."""
    import pandas as pd

    columns = table_encoder.decode(matrix.astype(np.float64), inputs.specs)
    numeric = ("number", "duration")
    objects = [spec["name"] for spec in inputs.specs if spec["kind"] not in numeric]
    return pd.DataFrame(columns).astype(dict.fromkeys(objects, object))


def card(inputs: Inputs) -> dict[str, Any]:
    """Fields of the served card that columns are encoded by; none where rows are arrays."""
    if not has_columns(inputs):
        return {}
    return {"columns": list(inputs.specs), "missing": list(inputs.missing)}


def artifacts(facts: Mapping[str, Any]) -> dict[str, Path]:
    """The file that encodes columns, where a served card says that there are such."""
    return {"columns": CODE} if "columns" in facts else {}


def schema(facts: Mapping[str, Any]) -> Schema:
    """The columns that a served model takes, of whatever type its callers have them in."""
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType

    return Schema([ColSpec(AnyType(), spec["name"]) for spec in facts["columns"]])


def read_frame(file: Path, inputs: TableInputs, settings: Mapping[str, Any]) -> pd.DataFrame:
    """Rows of a file, read as a study's table is.

    Args:
        file: a table of any container, with the columns that the model takes.
        inputs: the model's.
        settings: its study's `data` section, which says how the file is written.

    Raises:
        BadInput: the file cannot be read, lacks a column, or holds other rows.
    """
    from data.sources.table_file import TableFile, TableFormat

    table = TableFile(file, TableFormat.of(settings))
    names = [str(spec["name"]) for spec in inputs.specs]
    if missing := [name for name in names if name not in table.kinds]:
        raise BadInput(f"{file}: column {missing[0]!r} is missing; it has {', '.join(table.kinds)}")
    rows = table.table(names).to_pandas()
    if table.broken.count:
        line = table.broken.examples[0]
        raise BadInput(f"{file} cannot be read as a table ({line}); mend the line")
    if not len(rows):
        raise BadInput(f"{file} has no rows; give at least one")
    return rows
