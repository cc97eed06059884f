"""Section `split`: how rows are divided into train, validation and test."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from conf.schema.base import Section

Share = Annotated[float, Field(gt=0.0, lt=0.9)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Shares(Section):
    """Splits by their share of the rows."""

    validation: Share = 0.2
    """Share of the rows in the validation split, which compares trials."""
    test: Share = 0.2
    """Share of the rows in the test split, which only the champion step reads."""
    seed: Seed | None = None
    """Seed of the split; the study's seed when absent."""
    folds: Annotated[int, Field(ge=2, le=50)] | None = None
    """Divide all rows but the test split into this many folds, stored with each row: one fold is
    the validation split, and everything fitted is fitted on the others."""
    fold: Annotated[int, Field(ge=0, le=49)] | None = None
    """Index of the validation fold, counted from 0; 0 when absent. Each fold is a study of its own,
    with its own name."""

    @model_validator(mode="after")
    def _training_rows_remain(self) -> Shares:
        if self.fold is not None and self.fold >= (self.folds or 0):
            raise ValueError(f"fold {self.fold} is not below folds, which is {self.folds}")
        if self.folds is None and self.validation + self.test > 0.9:
            raise ValueError(
                f"validation {self.validation:g} and test {self.test:g} leave less than a tenth "
                "of the rows to train on; lower one of them"
            )
        return self


class Stratified(Shares):
    """Each class is split in the same proportions."""

    by: Literal["stratified"] = "stratified"
    """Stratified by class."""


class Random(Shares):
    """Rows are split at random; for data without classes."""

    by: Literal["random"] = "random"
    """At random."""


class Grouped(Shares):
    """Rows of one group (`data.group`, or equal sources of pairs) are in the same split."""

    by: Literal["group"] = "group"
    """By group."""


class InTime(Section):
    """The latest rows are the test split, and the rows before them the validation split."""

    by: Literal["time"] = "time"
    """By `data.time`."""
    validation: Share = 0.2
    """Share of the rows in the validation split, which compares trials."""
    test: Share = 0.2
    """Share of the rows in the test split, which only the champion step reads."""
    seed: Seed | None = None
    """Unused; present so that every kind of split has it."""


class Given(Section):
    """A column of the data names the split of each row (`data.part`)."""

    by: Literal["given"] = "given"
    """By `data.part`."""
    seed: Seed | None = None
    """Unused; present so that every kind of split has it."""


Split = Annotated[Stratified | Random | Grouped | InTime | Given, Field(discriminator="by")]
