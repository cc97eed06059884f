"""The trade-off of compression: which recipe to apply, from measurements; a pure function."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict

from conf.runtime.errors import BadInput
from conf.schema.champion import Compress
from conf.schema.study import TrialConfig
from data.card import DataCard
from tasks.packaging.records import ChampionRecord, Latency

PLAIN = "as it is"
TRADEOFF = "small.json"


class RecipeMeasurement(ChampionRecord):
    """One recipe on the validation split, applied to a model that was not trained on it."""

    # An objective need not be defined on the validation split.
    model_config = ConfigDict(allow_inf_nan=True)

    recipe: str
    value: float
    """The objective."""
    loss: float
    """Loss of the objective compared with the plain model; negative: it is better."""
    size_mb: float
    latency: dict[int, Latency]
    """Latency by rows per call."""
    within: bool
    """Whether the loss is within `champion.compress.loss`."""


class Tradeoff(ChampionRecord):
    """The measurements of all recipes, and the choice."""

    objective: str
    rows: tuple[RecipeMeasurement, ...]
    chosen: str | None
    why: str


def choose(
    values: Mapping[str, float],
    sizes: Mapping[str, float],
    latencies: Mapping[str, dict[int, Latency]],
    objective: str,
    direction: Literal["minimize", "maximize"],
    settings: Compress,
) -> Tradeoff:
    """Choose the smallest, or fastest, recipe whose loss is within the bound.

    None is chosen if no such recipe is smaller, or faster, than the plain model.

    Args:
        values: the objective by recipe, with `PLAIN`, as all mappings.
        sizes: in MB.
        latencies: by rows per call.
        objective: name of the metric.
        direction: of the objective.
        settings: the bound, and whether size or speed is preferred.
    """
    sign = 1.0 if direction == "minimize" else -1.0
    rows = tuple(
        RecipeMeasurement(
            recipe=recipe,
            value=value,
            loss=sign * (value - values[PLAIN]) + 0.0,  # no minus before a zero
            size_mb=sizes[recipe],
            latency=latencies[recipe],
            within=sign * (value - values[PLAIN]) <= settings.loss,
        )
        for recipe, value in values.items()
    )
    plain = next(row for row in rows if row.recipe == PLAIN)
    better = [row for row in rows if row.within and _cost(row, settings) < _cost(plain, settings)]
    best = min(better, key=lambda row: _cost(row, settings), default=None)
    return Tradeoff(
        objective=objective,
        rows=rows,
        chosen=best.recipe if best else None,
        why=_why(best, plain, settings),
    )


def check_shrinks(config: TrialConfig, card: DataCard) -> None:
    """BadInput where a candidate is no network that the recipes are for; `card` is the data's."""
    if card.inputs.kind == "pairs" or not config.model.capabilities.recipes:
        raise BadInput(
            f"recipes to make a model small are for networks that read images, tables or texts; "
            f"this champion is a {config.model.kind}"
        )


def read_tradeoff(folder: Path) -> Tradeoff | None:
    """The trade-off kept in the folder of a final training; None if there is none."""
    try:
        return Tradeoff.model_validate_json((folder / TRADEOFF).read_bytes())
    except (OSError, ValueError):
        return None


def _cost(row: RecipeMeasurement, settings: Compress) -> float:
    return row.size_mb if settings.prefer == "size" else row.latency[1].p95


def _why(best: RecipeMeasurement | None, plain: RecipeMeasurement, settings: Compress) -> str:
    unit = "MB" if settings.prefer == "size" else "ms for one row (p95)"
    bound = f"at most {settings.loss:g}"
    if best is None:
        return f"no recipe that loses {bound} has less than {_cost(plain, settings):.3g} {unit}"
    return (
        f"{best.recipe} has the least, {_cost(best, settings):.3g} {unit} instead of "
        f"{_cost(plain, settings):.3g}, of those that lose {bound} (it loses {best.loss:.4f})"
    )
