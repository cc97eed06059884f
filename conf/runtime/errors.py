"""What can be wrong with what the user gave: sentences that say what, where and the remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MOST_PROBLEMS = 20
"""Of one configuration that are said at once; whoever looks for problems may end after them."""
MOST_LETTERS = 400
"""Of a key or a sentence that are repeated from what was given."""


class DenseError(Exception):
    """An error that is shown to the user as one sentence; `exit_code` is the command's."""

    exit_code = 1


class BadInput(DenseError):
    """The input cannot be used; nothing was done."""

    exit_code = 2


class Held(DenseError):
    """Another process holds the study."""

    exit_code = 3


@dataclass(frozen=True)
class ErrorDetail:
    """One thing wrong with a configuration: where it stands, what it is, how to mend it."""

    key: str
    message: str
    value: object = None
    remedy: str = ""
    where: str = ""  # "file:line" of the value, or the override that set it

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{place}{_cut(self.key, 80)}: {_cut(self.message)}{_cut(remedy)}"


class BadConfig(BadInput):
    """A configuration with one or more problems, all of them at once."""

    def __init__(self, problems: Sequence[ErrorDetail]) -> None:
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.problems[:MOST_PROBLEMS]]
        if len(self.problems) > MOST_PROBLEMS:
            lines.append("and more is wrong; mend these first")
        super().__init__("\n".join(lines))


def _cut(text: str, most: int = MOST_LETTERS) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
