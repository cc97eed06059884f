"""Section `split`: how rows are divided into train, validation and test."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from conf.section import Section

Share = Annotated[float, Field(gt=0.0, lt=0.9)]


class Split(Section):
    """The parts of the data."""

    by: Literal["stratified"] = "stratified"
    """Each class is divided in the same proportions."""
    validation: Share = 0.2
    """Share of the rows that compares trials."""
    test: Share = 0.2
    """Share of the rows that only the champion step reads."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    """Seed of the division; the study's when absent."""

    @model_validator(mode="after")
    def _something_left(self) -> Split:
        if self.validation + self.test > 0.9:
            raise ValueError(
                f"validation {self.validation:g} and test {self.test:g} leave less than a tenth "
                "of the rows to train on; lower one of them"
            )
        return self
