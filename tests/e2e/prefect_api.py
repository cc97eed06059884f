"""What a Prefect server says and is asked, over its own API."""

from __future__ import annotations

import time
from typing import Any

import httpx

ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
"""Types of states; a flow gives them names of its own."""


class Api:
    """The API of one server."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.Client(base_url=url, timeout=600)  # a machine may stand still

    def close(self) -> None:
        """Let go of its connections."""
        self._client.close()

    def ask(self, path: str, body: Any = None, method: str = "POST") -> Any:
        """What the server answers; busy with its database it says so, and is asked again."""
        answer = self._client.request(method, path, json=body)
        for _ in range(20):
            if answer.status_code != 503:
                break
            time.sleep(1)
            answer = self._client.request(method, path, json=body)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def deployment(self, name: str) -> dict[str, Any]:
        """A deployment."""
        found: dict[str, Any] = self.ask(f"/deployments/name/{name}", method="GET")
        return found

    def places_taken(self, name: str) -> int:
        """How much of a deployment's concurrency limit is used."""
        return int(self.deployment(name)["global_concurrency_limit"]["active_slots"])

    def start(self, name: str, **facts: Any) -> str:
        """Id of a new flow run of a deployment."""
        found = self.ask(f"/deployments/{self.deployment(name)['id']}/create_flow_run", facts)
        return str(found["id"])

    def set_state(self, run: str, kind: str, name: str | None = None) -> None:
        """Ask for another state of a flow run, as the pages and `prefect flow-run cancel` do."""
        state = {"type": kind, "name": name or kind.title()}
        answer = self.ask(f"/flow_runs/{run}/set_state", {"state": state})
        assert answer["status"] == "ACCEPT", answer

    def run(self, run: str) -> dict[str, Any]:
        """A flow run."""
        found: dict[str, Any] = self.ask(f"/flow_runs/{run}", method="GET")
        return found

    def state(self, run: str) -> str:
        """Name of a flow run's state."""
        return str(self.run(run)["state"]["name"])

    def ended(self, run: str) -> bool:
        """Whether a flow run has its last state."""
        return self.run(run)["state"]["type"] in ENDED

    def message(self, run: str) -> str:
        """What a flow run's state says."""
        return str(self.run(run)["state"]["message"])

    def task_names(self, run: str) -> set[str]:
        """Names of a flow run's tasks."""
        tasks = self.ask("/task_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})
        return {each["name"] for each in tasks}

    def logs(self, run: str) -> list[str]:
        """The lines of a flow run's log."""
        asked = {"logs": {"flow_run_id": {"any_": [run]}}, "sort": "TIMESTAMP_ASC"}
        return [each["message"] for each in self.ask("/logs/filter", asked)]
