"""Constraints between settings, like `model.width * model.depth <= 512`.

The grammar has numbers, names of settings, `+ - * /`, parentheses and one comparison. It is parsed
by recursive descent and never evaluated as Python. A constraint that names an inactive setting is
satisfied. Numbers are compared up to floating-point rounding: 0.1 + 0.2 satisfies `a + b <= 0.3`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from conf.runtime.errors import BadInput
from conf.schema.base import nearly_equal
from conf.schema.search import Scalar

Expression = Callable[[Mapping[str, Scalar]], float]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)"
    r"|(?P<name>[A-Za-z_][\w.]*)|(?P<sign><=|>=|==|!=|<|>|[-+*/()]))"
)
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<=": lambda a, b: a < b or nearly_equal(a, b),
    ">=": lambda a, b: a > b or nearly_equal(a, b),
    "<": lambda a, b: a < b and not nearly_equal(a, b),
    ">": lambda a, b: a > b and not nearly_equal(a, b),
    "==": nearly_equal,
    "!=": lambda a, b: not nearly_equal(a, b),
}
Operator = Callable[[float, float], float]
Operators = Mapping[str, Operator]
_SUMS: Operators = {"+": operator.add, "-": operator.sub}
_PRODUCTS: Operators = {"*": operator.mul, "/": operator.truediv}


@dataclass(frozen=True)
class Constraint:
    """A comparison of two expressions over the settings of a configuration."""

    text: str
    names: frozenset[str]
    left: Expression
    comparison: str
    right: Expression

    def holds(self, values: Mapping[str, Scalar]) -> bool:
        """Whether a configuration satisfies it.

        True if a setting that it names is inactive, false if it divides by zero.
        """
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
        tokens, start = [], 0
        while text[start:].strip():
            match = _TOKEN.match(text, start)
            if match is None:
                raise self.error(f"{text[start:].strip()[0]!r} is not expected here")
            tokens.append(match.group().strip())
            start = match.end()
        return tokens

    def error(self, message: str) -> BadInput:
        return BadInput(f"search.constraints: {self.text!r}: {message}")

    def take(self) -> str:
        if not self.tokens:
            raise self.error("it ends too early")
        return self.tokens.pop(0)

    def sum(self) -> Expression:
        return self._chain(_SUMS, lambda: self._chain(_PRODUCTS, self._factor))

    def _chain(self, operators: Operators, operand: Callable[[], Expression]) -> Expression:
        expression = operand()
        while self.tokens and self.tokens[0] in operators:
            expression = _applied(operators[self.take()], expression, operand())
        return expression

    def _factor(self) -> Expression:
        symbol = self.take()
        if symbol == "-":
            operand = self._factor()
            return lambda values: -operand(values)
        if symbol == "(":
            inner = self.sum()
            if self.take() != ")":
                raise self.error("a parenthesis is not closed")
            return inner
        if symbol in self.numeric:
            return self._named(symbol)
        try:
            number = float(symbol)
        except ValueError:
            raise self.error(f"{symbol} is neither a number nor a searched setting") from None
        return lambda _: number

    def _named(self, name: str) -> Expression:
        if not self.numeric[name]:
            raise self.error(f"{name} has values that are not numbers")
        self.names.add(name)
        return lambda values: values[name]  # type: ignore[return-value]


def _applied(operation: Operator, left: Expression, right: Expression) -> Expression:
    return lambda values: float(operation(left(values), right(values)))
