"""A study as it is drafted: sections with the reasons for them, and what was assumed."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

RARE = 3.0
"""How many times larger the largest class is than the smallest before classes count as uneven."""
FEW = 500
"""Rows below which accuracy tells trials apart badly."""
FLOOR = 5
"""Rows below which a class is left out: each split needs some."""


@dataclass
class Draft:
    """Sections in their order: name to settings and the reason that stands above them."""

    about: str
    """What the data is, in a line."""
    sections: dict[str, tuple[dict[str, Any], str]] = field(default_factory=dict)
    assumed: list[str] = field(default_factory=list)

    def put(self, name: str, why: str, **settings: Any) -> None:
        """Add a section; settings that are None are left out."""
        given = {key: value for key, value in settings.items() if value is not None}
        if given:
            self.sections[name] = (given, why)

    def add(self, name: str, why: str, settings: Mapping[str, Any]) -> None:
        """Add settings to a section, and a line to its reasons."""
        before, reasons = self.sections.get(name, ({}, ""))
        lines = "\n".join(filter(None, (reasons.strip(), why)))
        self.sections[name] = ({**before, **settings}, lines)

    def text(self, study: str, command: str) -> str:
        """The study file."""
        lines = [f"# {command}", f"# Drafted by `dense new` for {self.about}.", "extends: base"]
        lines.append(f"name: {study}")
        for name, (settings, why) in self.sections.items():
            lines += [f"# {line}" for line in why.splitlines()]
            lines.append(f"{name}: {flow(settings)}")
        return "\n".join(lines) + "\n"


def flow(value: Any) -> str:
    """A value as YAML in one line; words that are plain stand without quotes."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_word(key)}: {flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str):
        return _word(value)
    return f"{value:g}" if isinstance(value, float) else json.dumps(value)


def _word(text: str) -> str:
    safe = re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]*", text)
    reserved = text.lower() in ("true", "false", "null", "yes", "no", "on", "off")
    return text if safe and not reserved else json.dumps(text, ensure_ascii=False)


@dataclass(frozen=True)
class Scores:
    """How a study is scored."""

    objective: str
    metrics: tuple[str, ...]
    why: str
    floor: int | None = None
    """Rows below which a class is left out."""
    uneven: bool = False
    """Whether some classes are much rarer than others."""

    @property
    def weights(self) -> str | None:
        """The setting `train.class_weights`."""
        return "balanced" if self.uneven else None


def classes(draft: Draft, counts: Counter[str], what: str) -> Scores:
    """Say how classes lie, and decide how they are scored."""
    kept, floor = _kept(draft, counts, 2, "classes", what)
    uneven = max(kept.values()) > RARE * min(kept.values())
    objective = "f1_macro" if uneven else "accuracy"
    why = "The search follows the objective; the others are shown beside it."
    if uneven:
        why = "Rare classes count as much as common ones."
    if sum(kept.values()) < FEW:
        objective, why = "log_loss", "Of so few rows accuracy moves in steps; log loss tells more."
    metrics = [objective, "accuracy", "f1_macro", "log_loss", "ece"]
    metrics += ["balanced_accuracy"] * uneven + ["roc_auc"] * (len(kept) == 2)
    return Scores(objective, tuple(dict.fromkeys(metrics)), why, floor, uneven)


def labels(draft: Draft, counts: Counter[str], rows: int, what: str) -> Scores:
    """The same of labels, of which a row has any number; of so many rows."""
    kept, floor = _kept(draft, counts, 1, "labels", what, begin="rows have any number of ")
    least = min(kept.values())
    uneven = max(kept.values()) > RARE * least
    objective = "f1_macro" if uneven else "f1_micro"
    why = (
        "accuracy is the share of rows with no wrong label, hamming_loss the share of wrong labels."
    )
    metrics = (objective, "f1_micro", "f1_macro", "accuracy", "hamming_loss", "roc_auc")
    rare = 2 * least < rows
    return Scores(objective, tuple(dict.fromkeys(metrics)), why, floor, uneven and rare)


def _kept(
    draft: Draft, counts: Counter[str], fewest: int, kind: str, what: str, begin: str = ""
) -> tuple[dict[str, int], int | None]:
    """Rows of those that have enough, and how many are enough where some have not; said in the
    draft. All stay where so few would be left."""
    kept = {name: many for name, many in counts.items() if many >= FLOOR}
    if len(kept) < fewest:
        kept = dict(counts)
    least, most = min(kept.values()), max(kept.values())
    draft.assumed.append(
        f"{begin}{len(kept)} {kind} of {what}, of {least:,} to {most:,} rows"
        + (f" ({_some(list(kept))})" if len(kept) <= FLOOR else "")
    )
    if len(kept) == len(counts):
        return kept, None
    draft.assumed.append(f"{len(counts) - len(kept)} {kind} of fewer rows are left out")
    return kept, FLOOR


def _some(names: list[str]) -> str:
    return ", ".join(name if len(name) <= 20 else f"{name[:17]}..." for name in names)
