"""Simple constraints between settings, like `model.width * model.depth <= 512`.

Parsed into a small tree, never evaluated as code. Numbers, setting names, `+ - * /`, parentheses,
one comparison. A constraint that names an inactive setting does not count.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from conf.runtime.errors import BadInput
from conf.schema.search import Scalar

Value = Callable[[Mapping[str, Scalar]], float]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)"
    r"|(?P<name>[A-Za-z_][\w.]*)|(?P<sign><=|>=|==|!=|<|>|[-+*/()]))"
)
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "==": operator.eq,
    "!=": operator.ne,
}
Signs = Mapping[str, Callable[[Any, Any], Any]]
_SUMS: Signs = {"+": operator.add, "-": operator.sub}
_PRODUCTS: Signs = {"*": operator.mul, "/": operator.truediv}


@dataclass(frozen=True)
class Constraint:
    """A comparison of two expressions."""

    text: str
    names: frozenset[str]
    left: Value
    comparison: str
    right: Value

    def holds(self, values: Mapping[str, Scalar]) -> bool:
        """Whether a configuration satisfies it; true where a setting it names is inactive."""
        if not self.names <= values.keys():
            return True
        try:
            return _COMPARISONS[self.comparison](self.left(values), self.right(values))
        except ZeroDivisionError:
            return False


def parse(text: str, numeric: Mapping[str, bool]) -> Constraint:
    """Parse a constraint.

    Args:
        text: Like `model.width * model.depth <= 512`.
        numeric: The searched settings, and whether all values of each are numbers.

    Raises:
        BadInput: The text is not a constraint between numeric settings.
    """
    parser = _Parser(text, numeric)
    left = parser.sum()
    comparison = parser.take()
    if comparison not in _COMPARISONS:
        raise parser.error("it needs one comparison, like a * b <= 512")
    right = parser.sum()
    if parser.tokens:
        raise parser.error(f"{parser.tokens[0]!r} is left over")
    return Constraint(text, frozenset(parser.names), left, comparison, right)


class _Parser:
    """Recursive descent: sum of products of numbers, names and parentheses."""

    def __init__(self, text: str, numeric: Mapping[str, bool]) -> None:
        self.text, self.numeric = text, numeric
        self.names: set[str] = set()
        self.tokens = self._tokens(text)

    def _tokens(self, text: str) -> list[str]:
        tokens, place = [], 0
        while text[place:].strip():
            match = _TOKEN.match(text, place)
            if match is None:
                raise self.error(f"{text[place:].strip()[0]!r} means nothing here")
            tokens.append(match.group().strip())
            place = match.end()
        return tokens

    def error(self, what: str) -> BadInput:
        return BadInput(f"search.constraints: {self.text!r}: {what}")

    def take(self) -> str:
        if not self.tokens:
            raise self.error("it ends too early")
        return self.tokens.pop(0)

    def sum(self) -> Value:
        return self._chain(_SUMS, lambda: self._chain(_PRODUCTS, self._factor))

    def _chain(self, signs: Signs, part: Callable[[], Value]) -> Value:
        whole = part()
        while self.tokens and self.tokens[0] in signs:
            whole = _applied(signs[self.take()], whole, part())
        return whole

    def _factor(self) -> Value:
        word = self.take()
        if word == "-":
            part = self._factor()
            return lambda values: -part(values)
        if word == "(":
            inner = self.sum()
            if self.take() != ")":
                raise self.error("a parenthesis is not closed")
            return inner
        if word in self.numeric:
            return self._named(word)
        try:
            number = float(word)
        except ValueError:
            raise self.error(f"{word} is neither a number nor a searched setting") from None
        return lambda values: number

    def _named(self, name: str) -> Value:
        if not self.numeric[name]:
            raise self.error(f"{name} has values that are no numbers")
        self.names.add(name)
        return lambda values: values[name]  # type: ignore[return-value]


def _applied(sign: Callable[[Any, Any], Any], left: Value, right: Value) -> Value:
    return lambda values: float(sign(left(values), right(values)))
