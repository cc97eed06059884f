"""Tables in files, read batch by batch: CSV, TSV, Parquet and JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from conf.runtime.errors import BadInput
from data.sources.rows import Report

BATCH = 4_096
BLOCK_BYTES = 16 * 2**20
"""A line is never longer than this."""
RAGGED_SHARE = 0.1
"""Share of broken lines above which the settings, not the lines, are wrong."""


@dataclass
class Broken:
    """Lines that could not be read: how many, and a few of them."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, where: str) -> None:
        """Count one."""
        self.count += 1
        if len(self.examples) < 5:
            self.examples.append(where)

    def report(self, read: int, path: Path) -> Report:
        """What the card says.

        Raises:
            BadInput: so many lines are broken that the file must be something else.
        """
        if self.count > RAGGED_SHARE * max(1, read):
            raise BadInput(
                f"{path}: {self.count} of {read} lines cannot be read ({self.examples[0]}); "
                "check data.separator, data.encoding and the format"
            )
        return Report("broken lines", read, read - self.count, examples=tuple(self.examples))


def columns_of(path: Path, separator: str | None, encoding: str) -> dict[str, pa.DataType]:
    """Names and types of a file's columns, from its beginning.

    Raises:
        BadInput: it is no table, or two of its columns have one name.
    """
    try:
        if _suffix(path) == "parquet":
            return _types(path, pq.read_schema(path))
        if _suffix(path) == "jsonl":
            return _json_columns(path, encoding)
        with pc.open_csv(path, *_csv_options(path, separator, encoding, Broken())) as reader:
            return _types(path, reader.schema)
    except (pa.ArrowException, OverflowError, UnicodeError, OSError, StopIteration) as error:
        raise _unreadable(path, error) from error


def _types(path: Path, schema: pa.Schema) -> dict[str, pa.DataType]:
    names = schema.names
    if twice := [name for number, name in enumerate(names) if name in names[:number]]:
        raise BadInput(
            f"{path} has two columns {twice[0]!r}; rename one, or put a line of names before "
            "the rows where there is none"
        )
    return dict(zip(names, schema.types, strict=True))


def batches(
    path: Path,
    columns: dict[str, pa.DataType],
    broken: Broken,
    *,
    separator: str | None = None,
    encoding: str = "utf-8",
) -> Iterator[pa.RecordBatch]:
    """The named columns, cast to the given types, some thousand rows at a time.

    Lines that do not fit are counted in `broken`.

    Raises:
        BadInput: a value cannot be read as its column's type, or the file is no table.
    """
    try:
        if _suffix(path) == "parquet":
            for batch in pq.ParquetFile(path).iter_batches(BATCH, columns=list(columns)):
                yield batch.select(list(columns)).cast(pa.schema(columns))
        elif _suffix(path) == "jsonl":
            yield from _json_batches(path, columns, broken, encoding)
        else:
            options = _csv_options(path, separator, encoding, broken, columns)
            with pc.open_csv(path, *options) as reader:
                yield from reader
    except (pa.ArrowException, OverflowError, UnicodeError, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> BadInput:
    reason = str(error).splitlines()[0][:200] if str(error) else "it is empty"
    hint = "check data.encoding" if "UTF" in reason.upper() or "codec" in reason else "check it"
    return BadInput(f"{path} cannot be read as a table ({reason}); {hint}")


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower().lstrip(".")
    known = {"csv": "csv", "tsv": "tsv", "parquet": "parquet", "jsonl": "jsonl", "ndjson": "jsonl"}
    if suffix not in known:
        raise BadInput(f"{path}: a table is .csv, .tsv, .parquet or .jsonl; rename or convert it")
    return known[suffix]


def _csv_options(
    path: Path,
    separator: str | None,
    encoding: str,
    broken: Broken,
    columns: dict[str, pa.DataType] | None = None,
) -> tuple[Any, Any, Any]:
    def skip(row: Any) -> str:
        broken.add(f"line {row.number}: {row.actual_columns} fields, not {row.expected_columns}")
        return "skip"

    between = separator or ("\t" if _suffix(path) == "tsv" else ",")
    return (
        # One thread: with several the reader does not know the number of a line.
        pc.ReadOptions(encoding=encoding, use_threads=False, block_size=BLOCK_BYTES),
        pc.ParseOptions(delimiter=between, invalid_row_handler=skip, newlines_in_values=True),
        pc.ConvertOptions(
            column_types=columns,
            include_columns=list(columns) if columns else None,
            strings_can_be_null=True,
        ),
    )


def records(path: Path, broken: Broken, encoding: str) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines; any other line is counted in `broken`."""
    with path.open(encoding=encoding) as file:
        for number, line in enumerate(file, start=1):
            try:
                record = json.loads(line)
                if "\\ud" in line.lower():
                    json.dumps(record, ensure_ascii=False).encode()  # half a letter is no text
            except (ValueError, RecursionError):
                record = None
            if isinstance(record, dict):
                yield record
            else:
                broken.add(f"line {number}: no JSON object")


def _json_columns(path: Path, encoding: str) -> dict[str, pa.DataType]:
    first = list(islice(records(path, Broken(), encoding), 100))
    schema = pa.Table.from_pylist(first).schema
    return dict(zip(schema.names, schema.types, strict=True))


def _json_batches(
    path: Path, columns: dict[str, pa.DataType], broken: Broken, encoding: str
) -> Iterator[pa.RecordBatch]:
    schema = pa.schema(columns)
    rows: list[dict[str, Any]] = []
    for record in records(path, broken, encoding):
        rows.append({name: _fitting(record.get(name), columns[name]) for name in columns})
        if len(rows) == BATCH:
            yield pa.RecordBatch.from_pylist(rows, schema=schema)
            rows = []
    if rows:
        yield pa.RecordBatch.from_pylist(rows, schema=schema)


def _fitting(value: Any, kind: pa.DataType) -> Any:
    """A JSON value for a column of strings or numbers."""
    if value is None or not pa.types.is_string(kind):
        return value
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def wanted(columns: Sequence[str | None]) -> list[str]:
    """The columns that are named, each once."""
    return list(dict.fromkeys(name for name in columns if name is not None))
