"""The source `pairs`: texts and what is to be written for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from conf.data import PairsData
from conf.errors import BadInput
from conf.home import Home
from data.sources.places import confined

if TYPE_CHECKING:  # Arrow is imported only when something is read
    from data.rows import Rows
    from data.sources.lines import Broken


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
        from data.sources.lines import Broken

        broken = Broken()
        try:
            pairs = list(self._pairs(broken))
        except UnicodeDecodeError as error:
            raise BadInput(
                f"{self._path} is not written in {self._data.encoding} ({error.reason}); "
                "name its encoding in data.encoding"
            ) from error
        read = len(pairs) + broken.count
        return pair_rows(pairs, read=read, reports=(broken.report(read, self._path),))

    def _pairs(self, broken: Broken) -> Iterator[tuple[str, str]]:
        if self._path.suffix.lower() == ".tsv":
            return self._tsv(broken)
        return self._json(broken)

    def _tsv(self, broken: Broken) -> Iterator[tuple[str, str]]:
        names = (self._data.source_column, self._data.target_column)
        place = (0, 1)
        with self._path.open(encoding=self._data.encoding) as file:
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

    def _json(self, broken: Broken) -> Iterator[tuple[str, str]]:
        from data.sources.lines import records

        names = (self._data.source_column, self._data.target_column)
        for number, record in enumerate(records(self._path, broken, self._data.encoding)):
            if number == 0 and (absent := [name for name in names if name not in record]):
                raise BadInput(
                    f"{self._path} has no column {', '.join(map(repr, absent))}; "
                    f"it has {', '.join(map(repr, record))}"
                )
            yield str(record.get(names[0]) or ""), str(record.get(names[1]) or "")


def pair_rows(
    pairs: Sequence[tuple[str, str]], *, read: int | None = None, reports: Sequence[object] = ()
) -> Rows:
    """Pairs as rows; an empty side is missing."""
    import numpy as np
    import pyarrow as pa

    from data.rows import Rows

    sides = [[pair[side].strip() or None for pair in pairs] for side in (0, 1)]
    columns = {
        "id": pa.array(np.arange(len(pairs))),
        "source": pa.array(sides[0], type=pa.string()),
        "target": pa.array(sides[1], type=pa.string()),
    }
    return Rows("pairs", pa.table(columns), read=read, reports=tuple(reports))  # type: ignore[arg-type]
