"""Section `clean`: which rows are removed or mended before training."""

from __future__ import annotations

from typing import Literal

from conf.section import Section


class Clean(Section):
    """Each rule reports how many rows went in and came out."""

    duplicates: Literal["drop", "keep"] = "drop"
    """Exact duplicates: keep the first of each, or keep all."""
    missing: Literal["drop", "keep"] = "drop"
    """Rows with a missing value or label: drop them, or keep them."""
