"""Watching a champion: new rows -> compare -> record -> an event, of which an automation makes a
new study.

dense monitor digits incoming/
prefect deployment run 'monitor/digits-hourly' -p path=/data/incoming
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.events import emit_event
from prefect.states import Completed

from conf.runtime.allowed_paths import confined
from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from flows.deployments.evaluate import CHAMPION_OF, PATH
from tasks.monitor.runs import MonitorRun, NoNewRows
from tasks.monitor.successor import successor_of
from tasks.monitor.watch import monitor_rows
from tasks.study.reader import StudyRecord

ALARM, CALM, SUCCESSOR = "dense.monitor.alarm", "dense.monitor.calm", "dense.successor.wanted"


@flow(name="monitor", flow_run_name="{study}", persist_result=False)
def monitor(
    study: Annotated[str, CHAMPION_OF] = "digits",
    path: Annotated[str, PATH] = "incoming",
    again: bool = False,
) -> State:
    """Hold new rows against what a champion was made from.

    Args:
        study: Whose champion: a study that ran, whatever its run was named, or a registered model.
        path: A file of rows, or a folder that gets them, in a folder that DENSE_DATA names.
        again: Every file of the folder, also those that earlier looks have seen.
    """
    kept = look(study, path, again)
    if isinstance(kept, NoNewRows):
        return Completed(message=f"Skipped: {kept.why}", name="Skipped")
    tell(kept)
    if not kept.look.alarm:
        return Completed(message=kept.look.why)
    return Completed(message=f"{kept.look.why}; see {kept.page}", name="Alarm")


@task(name="look", task_run_name="look at {path}", cache_policy=NO_CACHE)
def look(study: str, path: str, again: bool) -> MonitorRun | NoNewRows:
    """One look, recorded."""
    home = Home.open()
    return monitor_rows(home, study, allowed(home, path), again=again)


def allowed(home: Home, path: str) -> Path:
    """The place that a deployment's parameter names, which is not trusted with all files.

    Raises:
        BadInput: it lies outside the folders that studies may read, or is not there.
    """
    try:
        return confined(path, home, folder=True, key="path")
    except BadInput:
        return confined(path, home, key="path")


def tell(kept: MonitorRun) -> str:
    """Emit what the look came to; of an alarm also what the next study is to be called with.

    Returns:
        What was told, as a sentence.
    """
    found = kept.look
    resource = {
        "prefect.resource.id": f"dense.model.{found.model}",
        "prefect.resource.name": found.model,
        "dense.version": found.version,
    }
    facts = {"study": found.study, "why": found.why, "run": kept.run_id, "page": str(kept.page)}
    emit_event(ALARM if found.alarm else CALM, resource=resource, payload=facts)
    if not found.alarm:
        return f"told Prefect: {CALM}"
    try:
        record = StudyRecord.read(Home.open(), found.study)
        after = successor_of(record.study, found.time)
    except BadInput as error:  # the alarm stands; there is only nobody to follow
        return f"told Prefect: {ALARM}; no study follows: {error}"
    wanted = {"study": after.study, "overrides": list(after.overrides)}
    emit_event(SUCCESSOR, resource=resource, payload=wanted)
    return f"told Prefect: {ALARM} and {SUCCESSOR}"
