"""Section `split`: how rows are divided into train, validation and test."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from conf.schema.base import Section

Share = Annotated[float, Field(gt=0.0, lt=0.9)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Shares(Section):
    """The parts by their share of the rows."""

    validation: Share = 0.2
    """Share of the rows that compares trials."""
    test: Share = 0.2
    """Share of the rows that only the champion step reads."""
    seed: Seed | None = None
    """Seed of the division; the study's when absent."""
    folds: Annotated[int, Field(ge=2, le=50)] | None = None
    """Divide all rows but the test part into so many folds, kept with each row: one is the
    validation part, what is fitted is fitted on the others."""
    fold: Annotated[int, Field(ge=0, le=49)] | None = None
    """Which fold is the validation part, counted from 0, the first when absent: a study a fold,
    each under a name of its own."""

    @model_validator(mode="after")
    def _something_left(self) -> Shares:
        if self.fold is not None and self.fold >= (self.folds or 0):
            raise ValueError(f"fold {self.fold} is not below folds, which is {self.folds}")
        if self.folds is None and self.validation + self.test > 0.9:
            raise ValueError(
                f"validation {self.validation:g} and test {self.test:g} leave less than a tenth "
                "of the rows to train on; lower one of them"
            )
        return self


class Stratified(Shares):
    """Each class is divided in the same proportions."""

    by: Literal["stratified"] = "stratified"
    """Each class in the same proportions."""


class Random(Shares):
    """Rows are divided by chance; for data without classes."""

    by: Literal["random"] = "random"
    """By chance."""


class Grouped(Shares):
    """Rows of one group (`data.group`, or equal sources of a pair) are in one part."""

    by: Literal["group"] = "group"
    """By group."""


class InTime(Section):
    """The last rows in time are the test part, those before them the validation part."""

    by: Literal["time"] = "time"
    """By `data.time`."""
    validation: Share = 0.2
    """Share of the rows that compares trials."""
    test: Share = 0.2
    """Share of the rows that only the champion step reads."""
    seed: Seed | None = None
    """Not used by this division; there so that all kinds have it."""


class Given(Section):
    """The data says which part a row is in (`data.part`)."""

    by: Literal["given"] = "given"
    """By `data.part`."""
    seed: Seed | None = None
    """Not used by this division; there so that all kinds have it."""


Split = Annotated[Stratified | Random | Grouped | InTime | Given, Field(discriminator="by")]
