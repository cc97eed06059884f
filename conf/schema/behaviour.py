"""How a final model must behave: which way its answers go when what it is asked changes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from conf.schema.base import Section

Words = Annotated[str, Field(min_length=1, max_length=20_000)]
Class = Annotated[str, Field(min_length=1, max_length=200)]
Share = Annotated[float, Field(ge=0, le=1)]


class Pair(Section):
    """Two texts of which one must be scored above the other."""

    higher: Words
    """The text with the larger probability, or number."""
    lower: Words
    """The text with the smaller one."""
    of: Class | None = None
    """The class whose probability it is; absent where a number is predicted."""


class Push(Section):
    """A column of a table that is changed, by which an answer must not fall in any row."""

    column: Class
    """Which column."""
    by: float
    """What is added to it; below 0 it is lowered."""
    of: Class | None = None
    """The class whose probability must not fall; absent where a number is predicted."""
    fall: Annotated[float, Field(ge=0)] = 0.0
    """By how much it may fall all the same."""
    least: Share = 1.0
    """Least share of the validation part's rows in which it does not."""

    @model_validator(mode="after")
    def _it_is_moved(self) -> Push:
        if self.by == 0:
            raise ValueError("by: 0 changes nothing; give what is added to the column")
        return self


class Behaviour(Section):
    """Directional cases: of texts `pairs`, of tables `pushes`."""

    pairs: Annotated[tuple[Pair, ...], Field(max_length=10_000)] = ()
    """Texts by two, like `{higher: service was great, lower: service was awful, of: positive}`."""
    file: str | None = None
    """More pairs: a .csv or .jsonl file with the columns `higher`, `lower` and, of classes, `of`,
    inside one of the folders that `DENSE_DATA` names."""
    share: Share = 1.0
    """Least share of all pairs that are scored as they say."""
    pushes: Annotated[tuple[Push, ...], Field(max_length=1_000)] = ()
    """Columns that are changed, like `{column: worst radius, by: 2, of: malignant}`."""

    @property
    def asks(self) -> bool:
        """Whether there is any case."""
        return bool(self.pairs or self.file or self.pushes)
