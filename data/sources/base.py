"""What every source offers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # Arrow is imported only when something is read
    from data.rows import Rows


class Source(Protocol):
    """A place that rows are read from.

    `files` are the bytes that decide the rows: two sources with equal files and equal settings
    give equal rows in the same order. `facts` is what the card says about the place.
    """

    files: Sequence[Path]
    facts: dict[str, str]

    def read(self) -> Rows:
        """Read all rows.

        Raises:
            BadInput: the place does not hold what the configuration says.
        """
