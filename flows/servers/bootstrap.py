"""What a Prefect server needs besides deployments, made by code that can be run again and again:
the work pool, the variable that names who is told, and the watch over runs that fall silent.

What is there stays as people have set it, except for what an automation watches and does.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from prefect.client.schemas.actions import VariableCreate, WorkPoolCreate
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectAlreadyExists
from pydantic import JsonValue

from conf.loading.load import study_names
from flows.servers.programs import NOTIFY_VARIABLE

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

STUDIES_AT_ONCE = 8
"""Flow runs that a new pool takes at a time; their trials share the machine's slots anyway."""
HEARTBEAT = timedelta(seconds=30)
"""How often a flow run says that it lives: as `prefect.yaml` sets it."""
SILENT = "dense: a flow run fell silent"
STUDY_FORM: dict[str, JsonValue] = {}
"""What the form of the flow `study` says of its first parameter besides the type. Prefect merges it
with its own part each time that it builds the schema, and ignores a callable in its place."""


def offer_studies() -> None:
    """List the studies of today in the drop-down of Prefect's form.

    Prefect builds the schema of a flow twice: while `@flow` decorates it, and again in `prefect
    deploy`. Only the second needs the names, so that an import reads no study folder. Prefect
    refuses a name outside the list: `dense up` deploys again when the list has changed.
    """
    STUDY_FORM["enum"] = list(study_names())


def bootstrap(client: SyncPrefectClient, pool: str) -> None:
    """Make what is missing."""
    try:
        client.create_work_pool(
            WorkPoolCreate(
                name=pool,
                type="process",
                description="Studies of `dense`, run on the machine of the worker.",
                concurrency_limit=STUDIES_AT_ONCE,
            )
        )
    except ObjectAlreadyExists:
        print(f"the pool {pool} is there")
    if client.read_variable_by_name(NOTIFY_VARIABLE) is None:
        client.create_variable(VariableCreate(name=NOTIFY_VARIABLE, value="", tags=["dense"]))
    watch(client, silence())


def watch(client: SyncPrefectClient, wanted: AutomationCore) -> None:
    """Make an automation, or bring the one of that name up to date; one switched off stays off."""
    found = client.read_automations_by_name(wanted.name)
    if not found:
        client.create_automation(wanted)
        return
    kept = wanted.model_copy(update={"enabled": found[0].enabled})
    client.update_automation(found[0].id, kept)


def active_schedules(client: SyncPrefectClient) -> set[tuple[UUID, str]]:
    """The schedules that run: their deployment and slug."""
    return {
        (deployment.id, schedule.slug)
        for deployment in client.read_deployments()
        for schedule in deployment.schedules
        if schedule.active and schedule.slug
    }


def resume(client: SyncPrefectClient, schedules: Collection[tuple[UUID, str]]) -> None:
    """Let schedules run that `prefect deploy` has put back to how the file has them."""
    for deployment, slug in schedules:
        for schedule in client.read_deployment_schedules(deployment):
            if schedule.slug == slug and not schedule.active:
                client.update_deployment_schedule(deployment, schedule.id, active=True)


def silence(within: timedelta = 4 * HEARTBEAT) -> AutomationCore:
    """A flow run that is not heard of any more, with its machine or its worker, has crashed.

    Its place in the deployment's concurrency limit becomes free with that; the study goes on from
    its journal in the next run.
    """
    return AutomationCore(
        name=SILENT,
        description="Its machine or its process is gone: it is marked as crashed, so that its "
        "place is free. The next run of the study goes on where it stood.",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.*"},
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=within,
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message="It was not heard of any more. The next run of the study goes on.",
            )
        ],
    )
