"""The data card as the page shows it: rows by part, what cleaning did, rows by class."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

Card = Mapping[str, Any]


def shown_card(card: Card | None) -> dict[str, Any] | None:
    """Names and values for the template; None without a card."""
    if card is None:
        return None
    totals: dict[str, int] = defaultdict(int)
    for part in card["counts"].values():
        for name, many in part.items():
            totals[str(name)] += many
    most = max(totals.values(), default=0) or 1
    return {
        "source": _source(card["source"]),
        "shape": " × ".join(str(size) for size in card["shape"]),
        "kind": card["kind"],
        "key": card.get("key", ""),
        "rows": [(name, f"{many:,}") for name, many in card["rows"].items()],
        "looked": len(card["rules"]),
        "rules": [rule for rule in map(_rule, card["rules"]) if rule],
        "leakage": _leakage(card["leakage"]),
        "classes": [
            {"name": name, "rows": f"{many:,}", "share": round(100 * many / most, 2)}
            for name, many in totals.items()
        ],
    }


def class_names(card: Card | None, many: int) -> list[str]:
    """Names of the classes, or their numbers where no card fits."""
    names = [str(name) for name in (card or {}).get("classes", [])]
    return names if len(names) == many else [str(number) for number in range(many)]


def _source(source: object) -> str:
    """Where the rows come from, with their licence."""
    if not isinstance(source, Mapping):
        return str(source)
    told = [source.get("place") or source.get("name"), source.get("licence")]
    return " · ".join(str(part) for part in told if part)


def _rule(rule: Mapping[str, Any]) -> dict[str, str] | None:
    """A rule that did something."""
    removed, changed = rule["in"] - rule["out"], rule.get("changed", 0)
    if not removed and not changed:
        return None
    return {
        "name": rule["rule"],
        "in": f"{rule['in']:,}",
        "removed": f"{removed:,}",
        "changed": f"{changed:,}",
    }


def _leakage(leakage: Mapping[str, Any] | None) -> str:
    """Rows that are in two parts, by how they were looked for."""
    looked = {name: many for name, many in (leakage or {}).items() if many is not None}
    return ", ".join(f"{many:,} {name}" for name, many in looked.items()) or "not looked for"
