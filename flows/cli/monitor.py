"""`dense monitor`: test new rows for drift, print the report, notify Prefect."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from conf.runtime.home import Home
from flows.servers.prefect import configured_api

if TYPE_CHECKING:
    from tasks.monitor.runs import MonitorRun, NoNewRows


ALARM = 4
"""Exit code of an alarm."""


def show(name: str, path: Path, *, again: bool, json_only: bool) -> int:
    """Print the drift report of new rows.

    Returns:
        The exit code: 0 without an alarm (also without new rows), 4 with one.

    Raises:
        BadInput: there is no champion, no rows, or rows that it does not accept.
        Held: another process monitors the same place.
    """
    home = Home.open()
    url = configured_api(home)
    from tasks.monitor.watch import monitor_rows

    result = monitor_rows(home, name, path, again=again)
    notice = "" if url is None else _notify(result, url)
    facts = summary(result)
    print(json.dumps(facts) if json_only else "\n".join(lines(result, notice)))
    return ALARM if facts["alarm"] else 0


def _notify(result: MonitorRun | NoNewRows, url: str) -> str:
    from tasks.monitor.runs import NoNewRows

    if isinstance(result, NoNewRows):
        return ""
    os.environ["PREFECT_API_URL"] = url
    from flows.cli.run import flush_prefect
    from flows.deployments.monitor import tell

    notice = tell(result)
    flush_prefect()
    return notice


def lines(result: MonitorRun | NoNewRows, notice: str) -> list[str]:
    """The report as lines of text; `notice` is what was sent to Prefect, empty without a server."""
    from tasks.monitor.runs import NoNewRows

    if isinstance(result, NoNewRows):
        return [f"nothing to monitor: {result.why}"]
    look = result.look
    tests = [
        f"  {test.name:<20}  {test.statistic:<17}  {test.value:8.3f}   p {test.p:.3f}"
        f"{'   alarm' if test.raised else ''}"
        for test in look.tests
    ]
    end = [f"{'alarm' if look.alarm else 'no alarm'}: {look.why}"]
    if look.alarm:
        end.append(notice or "no Prefect server is running that could start a new study: dense up")
    head = [f"{look.rows:,} new rows, predicted by {look.model} version {look.version}"]
    if look.incomplete:
        head.append(f"{look.incomplete:,} more lack a value and are left out, as in training")
    return [*head, *tests, *end, f"page  {result.page}"]


def summary(result: MonitorRun | NoNewRows) -> dict[str, object]:
    """The report as JSON."""
    from tasks.monitor.runs import NoNewRows

    if isinstance(result, NoNewRows):
        return {"alarm": False, "rows": 0, "why": result.why}
    look = result.look
    return {
        "alarm": look.alarm,
        "why": look.why,
        "rows": look.rows,
        "labelled": look.labelled,
        "incomplete": look.incomplete,
        "tests": {
            test.name: {"value": test.value, "p": test.p, "raised": test.raised}
            for test in look.tests
        },
        "metrics": {name: each.model_dump() for name, each in look.metrics.items()},
        "model": look.model,
        "version": look.version,
        "run_id": result.run_id,
        "page": str(result.page),
    }
