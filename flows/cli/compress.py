"""`dense compress`: recipes measured, the chosen one registered, the trade-off as a table."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, get_args

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.runtime.text_table import text_table
from conf.schema.base import Recipe
from conf.schema.champion import Compress
from flows.cli.ensemble import trainer
from flows.cli.show import build_report
from tasks.study.reader import StudyRecord

if TYPE_CHECKING:
    from tasks.compress.compress import CompressionResult


def compress(name: str, recipes: Sequence[str]) -> None:
    """Print what each recipe costs and what came of the chosen one; the page shows it, too.

    Raises:
        BadInput: a recipe or the study is not known, or it has no champion to make small.
    """
    from tasks.compress import compress as step
    from tasks.track.store import mlflow_session

    if wrong := [each for each in recipes if each not in get_args(Recipe)]:
        raise BadInput(f"there is no recipe {wrong[0]!r}; there are {', '.join(get_args(Recipe))}")
    home = Home.open()
    record = StudyRecord.read(home, name)
    settings = record.study.champion.compress
    if recipes:
        settings = Compress.model_validate({**settings.model_dump(), "recipes": list(recipes)})
    with mlflow_session(home) as client, ExitStack() as stack:
        run = trainer(home, stack, "training for a recipe, with the settings of trial {}")
        found = step.compress(client, record, settings, run)
    print("\n".join(lines(found)))
    build_report(name)


def lines(found: CompressionResult) -> list[str]:
    """A line a recipe, then the choice."""
    rows: list[tuple[str, ...]] = [
        ("", found.tradeoff.objective, "lost", "MB", "1 row ms (p95)", "32 rows ms (p95)", "")
    ]
    for row in found.tradeoff.rows:
        times = [f"{row.latency[n].p50:.2f} ({row.latency[n].p95:.2f})" for n in (1, 32)]
        note = "" if row.within else "loses too much"
        rows.append(
            (row.recipe, f"{row.value:.4f}", f"{row.loss:+.4f}", f"{row.size_mb:.2f}", *times, note)
        )
    table = text_table(rows)
    if found.registered is None or found.score is None:
        return [*table, f"nothing was registered: {found.tradeoff.why}"]
    name = found.tradeoff.objective
    test = found.score.metrics[name]
    done = found.registered
    return [
        *table,
        found.tradeoff.why,
        f"test      {name} {test.value:.4f} ({test.low:.4f} – {test.high:.4f})",
        f"small     {done.model} version {done.version}: models:/{done.model}@small",
    ]
