"""Behavioural tests of a final model: directional expectations (CheckList, arXiv:2005.04118)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from conf.schema.base import Section

Text = Annotated[str, Field(min_length=1, max_length=20_000)]
Class = Annotated[str, Field(min_length=1, max_length=200)]
Share = Annotated[float, Field(ge=0, le=1)]


class Pair(Section):
    """Two texts, one of which must score above the other."""

    higher: Text
    """Text with the larger probability, or number."""
    lower: Text
    """Text with the smaller one."""
    of: Class | None = None
    """Class whose probability is compared; absent in regression."""


class Push(Section):
    """A change of a table column after which the prediction must not fall, in any row."""

    column: Class
    """Name of the column."""
    by: float
    """Amount that is added to the column; negative to lower it."""
    of: Class | None = None
    """Class whose probability must not fall; absent in regression."""
    fall: Annotated[float, Field(ge=0)] = 0.0
    """Tolerance: largest fall that is accepted."""
    least: Share = 1.0
    """Smallest share of the validation rows in which the prediction must not fall."""

    @model_validator(mode="after")
    def _column_changes(self) -> Push:
        if self.by == 0:
            raise ValueError("by: 0 changes nothing; give the amount to add to the column")
        return self


class Behaviour(Section):
    """Directional expectations: `pairs` for texts, `pushes` for tables."""

    pairs: Annotated[tuple[Pair, ...], Field(max_length=10_000)] = ()
    """Pairs of texts, like `{higher: service was great, lower: service was awful, of:
    positive}`."""
    file: str | None = None
    """More pairs: a .csv or .jsonl file with the columns `higher`, `lower` and, for classes, `of`,
    inside one of the folders that `DENSE_DATA` names."""
    share: Share = 1.0
    """Smallest share of the pairs that must be in the expected order."""
    pushes: Annotated[tuple[Push, ...], Field(max_length=1_000)] = ()
    """Changes of columns, like `{column: worst radius, by: 2, of: malignant}`."""

    @property
    def asks(self) -> bool:
        """Whether there is any test."""
        return bool(self.pairs or self.file or self.pushes)
