"""Section "Data": rows per split, the effect of each cleaning rule, and rows per class."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from data.card import (
    Anonymity,
    DataCard,
    ImageInputs,
    Inputs,
    Leakage,
    RuleResult,
    TableInputs,
)


@dataclass(frozen=True)
class RuleEffect:
    """A cleaning rule that removed, changed or flagged rows; counts are formatted."""

    name: str
    rows_in: str
    removed: str
    changed: str
    flagged: str
    examples: str


@dataclass(frozen=True)
class ClassCount:
    """A class with its number of rows, and the length of its bar in percent."""

    name: str
    rows: str
    share: float


@dataclass(frozen=True)
class DataSection:
    """The data card, formatted."""

    source: str
    shape: str
    kind: str
    rows: list[tuple[str, str]]
    """Split and number of rows."""
    rules_applied: int
    rules: list[RuleEffect]
    facts: list[tuple[str, str]]
    classes: list[ClassCount]


def data_section(card: DataCard | None) -> DataSection | None:
    """The section of a data card; None without a card."""
    if card is None:
        return None
    totals: dict[str, int] = defaultdict(int)
    for part in card.counts.values():
        for name, many in part.items():
            totals[str(name)] += many
    most = max(totals.values(), default=0) or 1
    return DataSection(
        source=_source(card.source),
        shape=" × ".join(str(size) for size in card.shape),
        kind=card.kind,
        rows=[(name, f"{many:,}") for name, many in card.rows.as_json().items()],
        rules_applied=len(card.rules),
        rules=[rule for rule in map(_rule, card.rules) if rule],
        facts=[fact for fact in _facts(card) if fact[1]],
        classes=[
            ClassCount(name, f"{many:,}", round(100 * many / most, 2))
            for name, many in totals.items()
        ],
    )


def class_names(card: DataCard | None, many: int) -> list[str]:
    """Names of the classes, or their numbers where no card fits."""
    names = list(card.classes) if card else []
    return names if len(names) == many else [str(number) for number in range(many)]


def _source(source: Mapping[str, JsonValue]) -> str:
    """Where the rows come from, with their licence."""
    told = [source.get("place") or source.get("name"), source.get("licence")]
    return " · ".join(str(part) for part in told if part)


def _rule(rule: RuleResult) -> RuleEffect | None:
    """A rule that removed, changed or reported rows."""
    if not rule.removed and not rule.changed and not rule.examples:
        return None
    return RuleEffect(
        name=rule.rule,
        rows_in=f"{rule.rows_in:,}",
        removed=f"{rule.removed:,}",
        changed=f"{rule.changed:,}",
        flagged=f"{rule.flagged:,}",
        examples="; ".join(rule.examples),
    )


def _facts(card: DataCard) -> list[tuple[str, str]]:
    """What else there is to know of the data, each with its name; empty where there is nothing."""
    return [
        ("columns left out", ", ".join(f"{name} ({why})" for name, why in card.left_out.items())),
        ("shares missed", _missed_shares(card)),
        ("rows in two splits", _leakage(card.leakage)),
        ("scale", _scale(card.inputs)),
        ("tokens", _tokens(card.inputs)),
        ("folds", _folds(card)),
        ("k-anonymity", _anonymity(card.anonymity)),
    ]


def _missed_shares(card: DataCard) -> str:
    return ", ".join(f"{name} by {100 * by:+.1f} %" for name, by in card.missed_shares.items())


def _scale(inputs: Inputs) -> str:
    if not isinstance(inputs, ImageInputs | TableInputs):
        return ""
    way = inputs.normalize or ""
    return f"{way}, fitted on the training split" if way in ("standard", "robust") else way


def _tokens(inputs: Inputs) -> str:
    if isinstance(inputs, ImageInputs | TableInputs):
        return ""
    lengths = [
        f"a {name} has {found.median:.0f} (median), 95 % have at most {found.p95:.0f}"
        for name, found in inputs.lengths.items()
    ]
    return f"{inputs.vocabulary:,} known; {'; '.join(lengths)}"


def _folds(card: DataCard) -> str:
    if not card.folds:
        return ""
    sizes = ", ".join(f"{many:,}" for many in card.folds)
    return f"{len(card.folds)} of {sizes} rows; fold {card.split.get('fold') or 0} validates"


def _anonymity(found: Anonymity | None) -> str:
    if found is None:
        return ""
    return (
        f"k = {found.smallest:,}: so few rows share their {', '.join(found.columns)}; "
        f"{found.rows_below:,} rows are among fewer than {found.below} alike"
    )


def _leakage(leakage: Leakage | None) -> str:
    """Rows that are in two parts, by how they were looked for."""
    counts = leakage.as_json() if leakage else {}
    looked = {name: many for name, many in counts.items() if many is not None}
    return ", ".join(f"{many:,} {name}" for name, many in looked.items()) or "not looked for"
