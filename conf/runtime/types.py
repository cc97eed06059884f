"""Aliases for the types of NumPy arrays, for annotations that more than one room uses.

Only modules that load NumPy anyway may import this one: `dense --help` must start without it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Array = NDArray[Any]
"""An array of any type of elements."""
