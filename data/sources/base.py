"""The interface of the data sources, and the file that a source keeps large rows in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # Arrow is imported only by a read
    import pyarrow as pa

    from data.sources.rows import Rows


class Source(Protocol):
    """A place that rows are read from: a file, a folder, a package, a data set of the hub.

    The life of a source, in call order (`tasks.prepare.run` makes all the calls):

    1. `open_source(data, clean, home)` chooses the class by `data.source` and constructs it with
       the settings. The constructor checks that the place exists and lists its files; it reads no
       row and fetches nothing.
    2. `files` are hashed. Their digests, `pinned` and the settings make the data key, so equal
       bytes, pin and settings must give equal rows in the same order, on every machine. Where data
       of that key is already prepared, the source is not used further.
    3. `facts` name the place and its licence to the user, and go into the data set card.
    4. `read(scratch)` is called once. It fetches what is missing, applies no rule of `clean` other
       than those for decoding images, and numbers the rows in the order of the source.
    5. `files` are hashed again: data that changed while it was read is refused.
    6. `scratch` is removed after the rows have been written to the store.

    A source has no other state, and must not use a random generator or the clock. A new source is
    a class with these members and one line in `open_source`; a private one is a module in
    `data/sources/own` (see `docs/extend.md`).
    """

    files: Sequence[Path]
    """Files whose bytes are the data, in a fixed order; empty where `pinned` identifies it."""
    pinned: str
    """Identifies data that needs no local file: an archive's SHA-256, a hub commit, the relative
    paths of images. Empty where `files` say it all."""
    facts: dict[str, str]
    """`place`, and `licence` where it is known."""

    def read(self, scratch: Path) -> Rows:
        """Read all rows.

        Args:
            scratch: a folder for rows that are too large for memory (`spill`), which are mapped
                from there.

        Raises:
            BadInput: the place cannot be read, or lacks what the settings name.
        """


def spill(batches: Iterable[pa.RecordBatch], schema: pa.Schema, scratch: Path) -> pa.Table:
    """Write batches to a file one by one and map them back as one table.

    A large source is never in memory as a whole.
    """
    import pyarrow as pa

    scratch.mkdir(parents=True, exist_ok=True)
    file = scratch / f"{len(list(scratch.iterdir()))}.arrow"
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return pa.ipc.open_file(pa.memory_map(str(file))).read_all()
