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
        "facts": [fact for fact in _facts(card) if fact[1]],
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
    """A rule that did, or found, something."""
    removed, changed = rule["in"] - rule["out"], rule.get("changed", 0)
    examples = list(rule.get("examples", ()))
    if not removed and not changed and not examples:
        return None
    return {
        "name": rule["rule"],
        "in": f"{rule['in']:,}",
        "removed": f"{removed:,}",
        "changed": f"{changed:,}",
        "examples": "; ".join(examples),
    }


def _facts(card: Card) -> list[tuple[str, str]]:
    """What else there is to know of the data, each with its name; empty where there is nothing."""
    return [
        ("rows in two parts", _leakage(card["leakage"])),
        ("scale", _scale(card["inputs"])),
        ("tokens", _tokens(card["inputs"])),
        ("folds", _folds(card)),
        ("k-anonymity", _anonymity(card.get("anonymity"))),
    ]


def _scale(inputs: Mapping[str, Any]) -> str:
    way = inputs.get("normalize", "")
    return f"{way}, fitted on the training part" if way in ("standard", "robust") else str(way)


def _tokens(inputs: Mapping[str, Any]) -> str:
    if "vocabulary" not in inputs:
        return ""
    lengths = [
        f"a {name} has {found['median']:.0f} (median), 95 % have at most {found['p95']:.0f}"
        for name, found in inputs["lengths"].items()
    ]
    return f"{inputs['vocabulary']:,} known; {'; '.join(lengths)}"


def _folds(card: Card) -> str:
    if not card.get("folds"):
        return ""
    sizes = ", ".join(f"{many:,}" for many in card["folds"])
    return f"{len(card['folds'])} of {sizes} rows; fold {card['split'].get('fold') or 0} validates"


def _anonymity(found: Mapping[str, Any] | None) -> str:
    if not found:
        return ""
    return (
        f"k = {found['smallest']:,}: so few rows share their {', '.join(found['columns'])}; "
        f"{found['rows_below']:,} rows are among fewer than {found['below']} alike"
    )


def _leakage(leakage: Mapping[str, Any] | None) -> str:
    """Rows that are in two parts, by how they were looked for."""
    looked = {name: many for name, many in (leakage or {}).items() if many is not None}
    return ", ".join(f"{many:,} {name}" for name, many in looked.items()) or "not looked for"
