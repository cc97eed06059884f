"""Section `data`: where the rows come from."""

from __future__ import annotations

from typing import Literal

from conf.section import Section


class BuiltinData(Section):
    """A data set that ships with scikit-learn."""

    source: Literal["builtin"] = "builtin"
    """Data of scikit-learn itself."""
    name: Literal["digits", "wine", "breast-cancer", "iris"] = "digits"
    """Which of scikit-learn's data sets."""
    task: Literal["classification"] = "classification"
    """What is predicted."""


Data = BuiltinData
