"""When new rows count as drifted."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from conf.schema.base import Section


class Monitor(Section):
    """How the champion is watched after the study (`dense monitor`)."""

    alpha: Annotated[float, Field(ge=0.001, lt=0.5)] = 0.01
    """Chance of an alarm at one look when nothing has changed, over all tests together."""
    effect: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Least distance between two distributions that matters (Kolmogorov-Smirnov, 0 to 1): what is
    certain but smaller raises no alarm."""
    rows: Annotated[int, Field(ge=10, le=1_000_000)] = 50
    """New rows that a look waits for; fewer tell too little."""
