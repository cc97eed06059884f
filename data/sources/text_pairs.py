"""The source `pairs`: source and target texts in a TSV or JSON-lines file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from conf.runtime.allowed_paths import confined
from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.data import PairsData
from data.encoding.table_encoder import text_of

if TYPE_CHECKING:  # Arrow is imported only when something is read
    import pyarrow as pa

    from data.sources.rows import Report, Rows
    from data.sources.table_file import BrokenLines

BATCH = 4_096


class PairsSource:
    """A TSV or JSON-lines file of source and target."""

    def __init__(self, data: PairsData, home: Home) -> None:
        self._data = data
        self._path = confined(data.path, home)
        if self._path.suffix.lower() not in (".tsv", ".jsonl", ".ndjson"):
            raise BadInput(f"{self._path}: pairs are in a .tsv or .jsonl file; convert it")
        self.files: Sequence[Path] = [self._path]
        self.pinned = ""
        self.facts = {"place": str(self._path)}

    def read(self, scratch: Path) -> Rows:
        """Read the pairs."""
        import pyarrow as pa

        from data.sources.base import spill
        from data.sources.table_file import BrokenLines

        broken = BrokenLines()
        schema = pa.schema({"source": pa.string(), "target": pa.string()})
        try:
            table = spill(batched(self._pairs(broken), schema), schema, scratch)
        except UnicodeDecodeError as error:
            raise BadInput(
                f"{self._path} is not written in {self._data.encoding} ({error.reason}); "
                "name its encoding in data.encoding"
            ) from error
        read = table.num_rows + broken.count
        return pair_rows(table, read=read, reports=(broken.report(read, self._path),))

    def _pairs(self, broken: BrokenLines) -> Iterator[tuple[str, str]]:
        if self._path.suffix.lower() == ".tsv":
            return self._tsv(broken)
        return self._json(broken)

    def _tsv(self, broken: BrokenLines) -> Iterator[tuple[str, str]]:
        from data.sources.table_file import unmarked

        names = (self._data.source_column, self._data.target_column)
        place = (0, 1)
        with self._path.open(encoding=unmarked(self._data.encoding)) as file:
            for number, line in enumerate(file, start=1):
                fields = line.rstrip("\r\n").split("\t")
                if number == 1 and self._data.header:
                    place = (self._place(fields, names[0]), self._place(fields, names[1]))
                elif len(fields) <= max(place):
                    broken.add(f"line {number}: {len(fields)} fields")
                else:
                    yield fields[place[0]], fields[place[1]]

    def _place(self, fields: list[str], name: str) -> int:
        if name not in fields:
            raise BadInput(f"{self._path} has no column {name!r}; it has {', '.join(fields)}")
        return fields.index(name)

    def _json(self, broken: BrokenLines) -> Iterator[tuple[str, str]]:
        from data.sources.table_file import json_records

        names = (self._data.source_column, self._data.target_column)
        with self._path.open("rb") as file:
            records = json_records(file, self._data.encoding, broken)
            for place, (_, record) in enumerate(records):
                if place == 0 and (absent := [name for name in names if name not in record]):
                    raise BadInput(
                        f"{self._path} has no column {', '.join(map(repr, absent))}; "
                        f"it has {', '.join(map(repr, record))}"
                    )
                yield text_of(record.get(names[0])) or "", text_of(record.get(names[1])) or ""


def batched(pairs: Iterable[tuple[str, str]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Pairs as batches of `source` and `target`; an empty side is missing."""
    import pyarrow as pa

    stream = iter(pairs)
    while some := list(islice(stream, BATCH)):
        sides = [[pair[side].strip() or None for pair in some] for side in (0, 1)]
        yield pa.RecordBatch.from_arrays(
            [pa.array(side, pa.string()) for side in sides], schema=schema
        )


def pair_rows(
    pairs: pa.Table | Sequence[tuple[str, str]],
    *,
    read: int | None = None,
    reports: tuple[Report, ...] = (),
) -> Rows:
    """Pairs as rows; an empty side is missing."""
    import numpy as np
    import pyarrow as pa

    from data.sources.rows import Rows

    if not isinstance(pairs, pa.Table):
        schema = pa.schema({"source": pa.string(), "target": pa.string()})
        pairs = pa.Table.from_batches(batched(pairs, schema), schema)
    numbered = pairs.append_column("id", pa.array(np.arange(pairs.num_rows)))
    return Rows("pairs", numbered, read=read, reports=reports)
