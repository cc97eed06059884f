"""`dense monitor`: one look at new rows, printed; the Prefect server that is up is told."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from conf.runtime.home import Home
from flows.servers.prefect import configured_api

if TYPE_CHECKING:
    from tasks.monitor.runs import MonitorRun, NoNewRows


def show(name: str, path: Path, *, again: bool, json_only: bool) -> None:
    """Print what a look came to.

    Raises:
        BadInput: there is no champion, no rows, or rows that it does not take.
        Held: another look at the place is under way.
    """
    home = Home.open()
    url = configured_api(home)
    from tasks.monitor.watch import monitor_rows

    found = monitor_rows(home, name, path, again=again)
    told = "" if url is None else _tell(found, url)
    print(json.dumps(summary(found)) if json_only else "\n".join(lines(found, told)))


def _tell(found: MonitorRun | NoNewRows, url: str) -> str:
    from tasks.monitor.runs import NoNewRows

    if isinstance(found, NoNewRows):
        return ""
    os.environ["PREFECT_API_URL"] = url
    from flows.cli.run import flush_prefect
    from flows.deployments.monitor import tell

    told = tell(found)
    flush_prefect()
    return told


def lines(found: MonitorRun | NoNewRows, told: str) -> list[str]:
    """What a person reads; `told` is what Prefect was told, empty where none is up."""
    from tasks.monitor.runs import NoNewRows

    if isinstance(found, NoNewRows):
        return [f"nothing was looked at: {found.why}"]
    look = found.look
    tests = [
        f"  {test.name:<20}  {test.statistic:<17}  {test.value:8.3f}   p {test.p:.3f}"
        f"{'   alarm' if test.raised else ''}"
        for test in look.tests
    ]
    end = [f"{'alarm' if look.alarm else 'no alarm'}: {look.why}"]
    if look.alarm:
        end.append(told or "no Prefect server is up that could start a new study: dense up")
    head = f"{look.rows:,} new rows, answered by {look.model} version {look.version}"
    return [head, *tests, *end, f"page  {found.page}"]


def summary(found: MonitorRun | NoNewRows) -> dict[str, object]:
    """What a program reads."""
    from tasks.monitor.runs import NoNewRows

    if isinstance(found, NoNewRows):
        return {"alarm": False, "rows": 0, "why": found.why}
    look = found.look
    return {
        "alarm": look.alarm,
        "why": look.why,
        "rows": look.rows,
        "labelled": look.labelled,
        "tests": {
            test.name: {"value": test.value, "p": test.p, "raised": test.raised}
            for test in look.tests
        },
        "metrics": {name: each.model_dump() for name, each in look.metrics.items()},
        "model": look.model,
        "version": look.version,
        "run_id": found.run_id,
        "page": str(found.page),
    }
