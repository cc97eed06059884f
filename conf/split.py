"""Section `split`: how rows are divided into train, validation and test."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from conf.section import Section

Share = Annotated[float, Field(gt=0.0, lt=0.9)]


class Split(Section):
    """The parts; the seed is the study's."""

    by: Literal["stratified"] = "stratified"
    """Each class is divided in the same proportions."""
    validation: Share = 0.2
    """Share of the rows that compares trials."""
    test: Share = 0.2
    """Share of the rows that only the champion step reads."""
