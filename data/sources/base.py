"""What every source offers, and where it may keep rows while it reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # Arrow is imported only when something is read
    import pyarrow as pa

    from data.sources.rows import Rows


class Source(Protocol):
    """A place that rows are read from.

    `files` and `pinned` decide the rows: two sources with equal files, an equal pin and equal
    settings give equal rows in the same order. `facts` is what the card says about the place.
    """

    files: Sequence[Path]
    pinned: str
    """What stands for bytes that need not be here any more: a digest, or a commit."""
    facts: dict[str, str]

    def read(self, scratch: Path) -> Rows:
        """Read all rows; what is large is written into the folder `scratch` and mapped from there.

        Raises:
            BadInput: the place does not hold what the configuration says.
        """


def spill(batches: Iterable[pa.RecordBatch], schema: pa.Schema, scratch: Path) -> pa.Table:
    """Write batches one by one and map them back: large sources are never whole in memory."""
    import pyarrow as pa

    scratch.mkdir(parents=True, exist_ok=True)
    file = scratch / f"{len(list(scratch.iterdir()))}.arrow"
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return pa.ipc.open_file(pa.memory_map(str(file))).read_all()
