"""Data set cards for tests that look at a few of their fields: the others are filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from data.card import DataCard, Inputs, parse_inputs

ROWS = {"read": 0, "kept": 0, "train": 0, "validation": 0, "test": 0}


def as_inputs(fields: Mapping[str, Any]) -> Inputs:
    """Inputs with these fields, as JSON has them; `kind` is one of them."""
    return parse_inputs({**_defaults(fields), **fields})


def as_card(fields: Mapping[str, Any]) -> DataCard:
    """A card with these fields, as JSON has them; of texts, unless `inputs` says otherwise."""
    inputs = as_inputs(fields.get("inputs", {"kind": "text"}))
    rows = {**ROWS, **fields.get("rows", {})}
    return DataCard.model_validate({"kind": inputs.kind, **fields, "rows": rows, "inputs": inputs})


def _defaults(fields: Mapping[str, Any]) -> dict[str, Any]:
    if fields["kind"] == "image":
        channels = fields.get("channels", 1)
        scaling = {"shift": [0.0] * channels, "scale": [1.0] * channels}
        return {"height": 8, "width": 8, "channels": 1, "high": 255.0, **scaling}
    if fields["kind"] == "table":
        features = fields.get("features", len(fields.get("names", ())))
        return {"features": features, "shift": [0.0] * features, "scale": [1.0] * features}
    return {"vocabulary": 10, "pad": 0, "longest": 16}
