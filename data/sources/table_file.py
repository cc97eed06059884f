"""Read a table file of any container: CSV, TSV, JSON lines, Parquet, spreadsheets; plain or packed.

One reader for training, scoring, monitoring and drafting, so that a file says the same to all of
them. Containers of text alone (CSV, TSV) give strings as they are written; the others give their
typed values. What a column is, `data.sources.column_kinds` decides over the whole file.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from conf.runtime.errors import BadInput
from conf.schema.data import NumberFormat
from data.sources.column_kinds import ColumnKinds, Kind, flattened
from data.sources.rows import Report

BATCH = 4_096
BLOCK_BYTES = 16 * 2**20
"""A line is never longer than this."""
BROKEN_SHARE = 0.1
"""Share of broken lines above which the settings, not the lines, are wrong."""
PACKED: Mapping[str, tuple[str, Callable[[Path], Any]]] = {
    ".gz": ("gzip", gzip.open),
    ".bz2": ("bz2", bz2.open),
    ".xz": ("xz", lzma.open),
    ".zst": ("zstd", lambda path: pa.CompressedInputStream(str(path), "zstd")),
}
CONTAINERS: Mapping[str, str] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".xlsx": "sheet",
    ".xls": "sheet",
    ".ods": "sheet",
}
READABLE = ", ".join(CONTAINERS)


@dataclass(frozen=True)
class TableFormat:
    """How a file is written, where it does not say so itself."""

    separator: str | None = None
    """Between the fields of a line; a comma in CSV and a tab in TSV when None."""
    encoding: str = "utf-8"
    missing: tuple[str, ...] = ()
    """Written values that mean a missing one, beside the empty field."""
    sheet: str | None = None
    """Of a spreadsheet; the first when None."""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    """The written format of numbers (`decimal`, `thousands`, `units`); empty for plain ones."""
    dates: str | None = None
    """The written format of dates, of `strptime`; None for ISO dates."""

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> TableFormat:
        """The format that a `data` section names; `settings` is the section as JSON."""
        numbers = settings.get("numbers") or {}
        plain = NumberFormat().model_dump(mode="json")
        return cls(
            separator=settings.get("separator"),
            encoding=settings.get("encoding") or "utf-8",
            missing=tuple(settings.get("missing") or ()),
            sheet=settings.get("sheet"),
            numbers={name: value for name, value in numbers.items() if value != plain[name]},
            dates=settings.get("dates"),
        )


@dataclass
class BrokenLines:
    """Lines that could not be read: how many, and a few of them."""

    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, where: str) -> None:
        """Count one."""
        self.count += 1
        if len(self.examples) < 5:
            self.examples.append(where)

    def report(self, read: int, path: Path) -> Report:
        """The line of the data card.

        Raises:
            BadInput: so many lines are broken that the file must be something else.
        """
        if self.count > BROKEN_SHARE * max(1, read):
            raise BadInput(
                f"{path}: {self.count} of {read} lines cannot be read ({self.examples[0]}); "
                "check data.separator, data.encoding and the format"
            )
        return Report("broken lines", read, read - self.count, examples=tuple(self.examples))


def container_of(path: Path) -> str | None:
    """`csv`, `tsv`, `jsonl`, `parquet` or `sheet`, by the file's name; None for no table."""
    suffix = path.suffix.lower()
    if suffix in PACKED:
        inner = CONTAINERS.get(Path(path.stem).suffix.lower())
        return inner if inner in ("csv", "tsv", "jsonl") else None
    return CONTAINERS.get(suffix)


class TableFile:
    """A table in a file: `kinds` first, then `batches` of the columns that are wanted."""

    def __init__(self, path: Path, layout: TableFormat = TableFormat()) -> None:
        """Nothing is read yet.

        Raises:
            BadInput: the file's name is of no container that can be read.
        """
        container = container_of(path)
        if container is None:
            raise BadInput(f"{path}: a table is {READABLE} (or packed, as .csv.gz); convert it")
        self.path, self.layout, self.container = path, layout, container
        self.broken = BrokenLines()
        """Lines left out by the last pass over the file."""

    @property
    def typed(self) -> bool:
        """Whether the container types its values; else all are text."""
        return self.container not in ("csv", "tsv")

    @cached_property
    def kinds(self) -> Mapping[str, Kind]:
        """The kind of every column, over the whole file.

        Raises:
            BadInput: the file is no table, or two of its columns have one name.
        """
        kinds = ColumnKinds(self.typed, self.layout.numbers, self.layout.dates)
        rows = 0
        for batch in self._passed():
            kinds.look(batch)
            rows += batch.num_rows
        self.broken.report(rows + self.broken.count, self.path)
        if not kinds.kinds():
            raise BadInput(f"{self.path} cannot be read as a table (it is empty); check it")
        return kinds.kinds()

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Columns of the file as they are written, some thousand rows at a time; all when None.

        Missing values are null. Lines that do not fit are counted in `broken`.

        Raises:
            BadInput: the file lacks a column, or cannot be read.
        """
        names = list(self.kinds if columns is None else columns)
        if absent := [name for name in names if name not in self.kinds]:
            raise BadInput(
                f"{self.path} has no column {', '.join(map(repr, absent))}; "
                f"it has {', '.join(map(repr, self.kinds))}"
            )
        for batch in self._passed():
            yield _with_columns(batch, names)

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows of `batches` as one table."""
        parts = list(self.batches(columns))
        return pa.concat_tables(map(_as_table, parts), promote_options="permissive")

    def _passed(self) -> Iterator[pa.RecordBatch]:
        """One pass over the file, with its markers of missing values as null."""
        self.broken = BrokenLines()
        passes = {
            "csv": self._csv,
            "tsv": self._csv,
            "jsonl": self._json,
            "parquet": self._parquet,
            "sheet": self._sheet,
        }
        markers = pa.array(["", *self.layout.missing])
        try:
            for batch in passes[self.container]():
                yield _without_markers(batch, markers)
        except (pa.ArrowException, OverflowError, UnicodeError, OSError, EOFError) as error:
            raise _unreadable(self.path, error) from error

    def _csv(self) -> Iterator[pa.RecordBatch]:
        names = self._header()
        between = self._separator

        def skip(row: Any) -> str:
            where = f"line {row.number}: " if row.number is not None else ""
            self.broken.add(f"{where}{row.actual_columns} fields, not {row.expected_columns}")
            return "skip"

        # One thread: with several the reader does not know the number of a line.
        reading = pc.ReadOptions(
            encoding=self.layout.encoding, use_threads=False, block_size=BLOCK_BYTES
        )
        parsing = pc.ParseOptions(
            delimiter=between, invalid_row_handler=skip, newlines_in_values=True
        )
        converting = pc.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
        )
        yield pa.RecordBatch.from_arrays([pa.array([], pa.string())] * len(names), names=names)
        with self._opened() as file, pc.open_csv(file, reading, parsing, converting) as reader:
            yield from reader

    @property
    def _separator(self) -> str:
        return self.layout.separator or ("\t" if self.container == "tsv" else ",")

    def _header(self) -> list[str]:
        options = pc.ReadOptions(encoding=self.layout.encoding, use_threads=False)
        parsing = pc.ParseOptions(delimiter=self._separator, newlines_in_values=True)
        parsing.invalid_row_handler = lambda _: "skip"
        with self._opened() as file, pc.open_csv(file, options, parsing) as reader:
            return _distinct(self.path, reader.schema.names)

    def _json(self) -> Iterator[pa.RecordBatch]:
        names: dict[str, None] = {}
        rows: list[dict[str, Any]] = []
        with self._opened() as file:
            for number, record in json_records(file, self.layout.encoding, self.broken):
                flat = flattened(record, f"{self.path}, line {number}")
                names.update(dict.fromkeys(flat))
                rows.append(flat)
                if len(rows) == BATCH:
                    yield _json_batch(rows, list(names))
                    rows = []
        if rows:
            yield _json_batch(rows, list(names))

    def _parquet(self) -> Iterator[pa.RecordBatch]:
        file = pq.ParquetFile(self.path)
        _distinct(self.path, file.schema_arrow.names)
        for batch in file.iter_batches(BATCH):
            flat = pa.Table.from_batches([batch])
            while any(pa.types.is_struct(kind) for kind in flat.schema.types):
                flat = flat.flatten()
            yield from flat.to_batches()

    def _sheet(self) -> Iterator[pa.RecordBatch]:
        rows = _spreadsheet(self.path, self.layout.sheet)
        header = next(rows, [])
        names = _distinct(self.path, [str(name) for name in header])
        records = []
        for row in rows:
            cells = [None if cell == "" else cell for cell in row]
            if any(cell is not None for cell in cells):
                records.append(dict(zip(names, cells, strict=False)))
        for first in range(0, len(records), BATCH):
            yield _json_batch(records[first : first + BATCH], names)

    def _opened(self) -> Any:
        if (packed := PACKED.get(self.path.suffix.lower())) is not None:
            return packed[1](self.path)
        return self.path.open("rb")


def json_records(
    file: IO[bytes], encoding: str, broken: BrokenLines
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and object of each line of JSON; any other line is counted in `broken`."""
    for number in count(1):
        line = file.readline(BLOCK_BYTES)
        if not line:
            return
        text = line.decode(unmarked(encoding) if number == 1 else encoding)
        if not text.strip():
            continue
        record = _object(text)
        if record is None:
            broken.add(f"line {number}: no JSON object")
        else:
            yield number, record


def unmarked(encoding: str) -> str:
    """The encoding that takes a byte order mark for no content."""
    return "utf-8-sig" if encoding == "utf-8" else encoding


def _with_columns(batch: pa.RecordBatch, names: Sequence[str]) -> pa.RecordBatch:
    """The named columns in this order; one that no row of the batch has is null."""
    has = set(batch.schema.names)
    columns = [batch.column(name) if name in has else pa.nulls(batch.num_rows) for name in names]
    return pa.RecordBatch.from_arrays(columns, names=list(names))


def _as_table(batch: pa.RecordBatch) -> pa.Table:
    return pa.Table.from_batches([batch])


def _without_markers(batch: pa.RecordBatch, markers: pa.Array) -> pa.RecordBatch:
    """The batch with markers of missing values as null."""
    import pyarrow.compute as compute

    columns = []
    for column in batch.columns:
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            gone = compute.is_in(column, markers.cast(column.type))
            column = compute.if_else(gone, None, column)
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _json_batch(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> pa.RecordBatch:
    columns = [_json_column([row.get(name) for row in rows]) for name in names]
    return pa.RecordBatch.from_arrays(columns, names=list(names))


def _json_column(values: list[Any]) -> pa.Array:
    """JSON values as one Arrow column; as text in their written form where kinds are mixed."""
    from data.encoding.table_encoder import text_of

    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        values = [None if value is None else float(value) for value in values]
    elif len(kinds) > 1:
        return pa.array([text_of(value) for value in values], pa.string())
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError):  # numbers beyond 64 bits, lists of several kinds
        return pa.array([text_of(value) for value in values], pa.string())


def _object(line: str) -> dict[str, Any] | None:
    """The JSON object of a line; None where it is none, or holds half a letter."""
    try:
        record = json.loads(line)
        if "\\ud" in line.lower():
            json.dumps(record, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _distinct(path: Path, names: Sequence[str]) -> list[str]:
    if twice := [name for number, name in enumerate(names) if name in names[:number]]:
        raise BadInput(
            f"{path} has two columns {twice[0]!r}; rename one, or put a line of names before "
            "the rows where there is none"
        )
    return list(names)


def _spreadsheet(path: Path, sheet: str | None) -> Iterator[list[Any]]:
    """Rows of a sheet, cells typed.

    Raises:
        BadInput: the extra is not installed, or there is no such sheet.
    """
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError as error:
        raise BadInput(
            f"{path}: spreadsheets need the extra dense[sheets]; install it, or save as CSV"
        ) from error
    try:
        book = CalamineWorkbook.from_path(str(path))
    except CalamineError as error:
        raise _unreadable(path, error) from error
    names = book.sheet_names
    if sheet is not None and sheet not in names:
        raise BadInput(f"data.sheet: {path} has no sheet {sheet!r}; it has {', '.join(names)}")
    yield from book.get_sheet_by_name(sheet or names[0]).to_python()


def _unreadable(path: Path, error: Exception) -> BadInput:
    reason = str(error).splitlines()[0][:200] if str(error) else "it is empty"
    hint = "check data.encoding" if "UTF" in reason.upper() or "codec" in reason else "check it"
    return BadInput(f"{path} cannot be read as a table ({reason}); {hint}")
