"""The check that no row of one part is also in another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from conf.errors import BadInput


def shared(hashes: npt.NDArray[np.str_], parts: npt.NDArray[np.int8]) -> int:
    """How many contents occur in more than one part."""
    order = np.lexsort((parts, hashes))
    same = hashes[order][1:] == hashes[order][:-1]
    crossing = same & (parts[order][1:] != parts[order][:-1])
    return len(np.unique(hashes[order][1:][crossing]))


def refuse_leaks(hashes: npt.NDArray[np.str_], parts: npt.NDArray[np.int8]) -> dict[str, int]:
    """What the card says about leakage; a leak is an error.

    Raises:
        BadInput: the same content stands in two parts.
    """
    if count := shared(hashes, parts):
        raise BadInput(
            f"data: {count} contents are in more than one of train, validation and test; "
            "set clean.duplicates=drop"
        )
    return {"exact": 0}
