"""Whether MLflow is away or does not want what it is given."""

from __future__ import annotations

# MLflow's words for "this will not do, now or later"; all its others may pass.
REFUSALS = frozenset(
    {
        "BAD_REQUEST",
        "INVALID_PARAMETER_VALUE",
        "INVALID_STATE",
        "RESOURCE_ALREADY_EXISTS",
        "RESOURCE_DOES_NOT_EXIST",
    }
)


def is_away(error: Exception) -> bool:
    """Whether the same call may succeed later."""
    code = getattr(error, "error_code", None)
    if code is None:
        return isinstance(error, OSError) and not isinstance(error, FileNotFoundError)
    return code not in REFUSALS
