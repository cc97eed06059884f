"""What deployments need is made once, and what people have set stays."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.exceptions import ObjectAlreadyExists

from flows.servers.bootstrap import (
    HEARTBEAT,
    SILENT,
    active_schedules,
    bootstrap,
    resume,
    silence,
)
from flows.servers.programs import NOTIFY_VARIABLE


@dataclass
class Client:
    """A Prefect server that remembers."""

    pools: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    automations: dict[UUID, Automation] = field(default_factory=dict)

    def create_work_pool(self, pool: Any) -> None:
        if pool.name in self.pools:
            raise ObjectAlreadyExists(ValueError())
        self.pools[pool.name] = pool

    def read_variable_by_name(self, name: str) -> Any:
        return self.variables.get(name)

    def create_variable(self, variable: Any) -> None:
        assert variable.name not in self.variables
        self.variables[variable.name] = variable

    def read_automations_by_name(self, name: str) -> list[Automation]:
        return [each for each in self.automations.values() if each.name == name]

    def create_automation(self, wanted: AutomationCore) -> None:
        made = Automation(id=uuid4(), **wanted.model_dump())
        self.automations[made.id] = made

    def update_automation(self, number: UUID, wanted: AutomationCore) -> None:
        self.automations[number] = Automation(id=number, **wanted.model_dump())


def run(client: Client) -> None:
    bootstrap(cast(SyncPrefectClient, client), "dense")


def test_twice_is_once_and_what_people_set_stays(capsys: pytest.CaptureFixture[str]) -> None:
    client = Client()
    run(client)
    pool = client.pools["dense"]
    assert (pool.type, pool.concurrency_limit) == ("process", 8)
    client.variables[NOTIFY_VARIABLE] = "slack-webhook/lab"
    (watch,) = client.automations.values()
    assert watch.name == SILENT and watch.enabled
    off = watch.model_copy(update={"enabled": False, "description": "of an older version"})
    client.automations[watch.id] = off
    run(client)
    assert client.pools == {"dense": pool} and client.variables == {
        NOTIFY_VARIABLE: "slack-webhook/lab"
    }
    (again,) = client.automations.values()
    assert not again.enabled and again.description == watch.description
    assert "the pool dense is there" in capsys.readouterr().out


@dataclass
class Schedules:
    """A Prefect server with a deployment of two schedules, which deploying pauses."""

    slugs: dict[str | None, bool]
    id: UUID = field(default_factory=uuid4)

    @property
    def schedules(self) -> list[Any]:
        return [SimpleNamespace(id=slug, slug=slug, active=on) for slug, on in self.slugs.items()]

    def read_deployments(self) -> list[Any]:
        return [self]

    def read_deployment_schedules(self, deployment: UUID) -> list[Any]:
        assert deployment == self.id
        return self.schedules

    def update_deployment_schedule(self, deployment: UUID, schedule: str, active: bool) -> None:
        assert deployment == self.id
        self.slugs[schedule] = active


def test_a_schedule_that_a_person_resumed_is_resumed_again() -> None:
    server = Schedules({"nightly": True, "hourly": False, None: True})
    client = cast(SyncPrefectClient, server)
    before = active_schedules(client)
    server.slugs = {"nightly": False, "hourly": False}
    resume(client, before)
    assert server.slugs == {"nightly": True, "hourly": False}


def test_silence_is_several_heartbeats_of_every_flow_run() -> None:
    trigger = cast(Any, silence().trigger)
    assert trigger.within >= 3 * HEARTBEAT
    # A run that ended, under whatever name, is not silent.
    assert trigger.expect == {"prefect.flow-run.*"} and len(trigger.for_each) == 1
