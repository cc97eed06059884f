"""Times as numbers, whatever a source writes them as."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from conf.runtime.errors import BadInput


def seconds(values: Sequence[str | None], column: str) -> list[float]:
    """Each time as a number that orders as the times do.

    Raises:
        BadInput: a value is missing, or neither a number nor an ISO date.
    """
    return [_second(value, column) for value in values]


def _second(value: str | None, column: str) -> float:
    if value is None:
        raise BadInput(f"data.time: column {column!r} has rows without a time; fill them in")
    try:
        return float(value)
    except ValueError:
        pass
    try:
        time = datetime.fromisoformat(value.strip())
    except ValueError as error:
        raise BadInput(
            f"data.time: column {column!r} holds {value!r}, neither a number nor an ISO date"
        ) from error
    # Without a zone a time is taken as UTC, so that no machine's own zone has a part in it.
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
