"""A study on disk beside a real MLflow database, and what that database says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from conf.runtime.home import Home
from tasks.study.events import Event
from tasks.track import store
from tasks.track.writer import Tracker
from tests.unit.track.helpers import KEY, Written


@dataclass
class Recorded(Written):
    """A study whose every step is told to a tracker as the driver would."""

    trackers: list[Tracker] = field(default_factory=list)

    def track(self, flow_run: str | None = "flow-1") -> Tracker:
        """Start a driver's tracker."""
        tracker = Tracker.open(
            self.home,
            self.study,
            self.state,
            flow_run_id=flow_run,
            data_key=KEY,
            now=self.tick(),
            poll=0.05,
        )
        self.trackers.append(tracker)
        return tracker

    def append(self, event: Event) -> Event:
        super().append(event)
        for tracker in self.trackers:
            tracker.event(event, self.state)
        return event

    def close(self) -> bool:
        """End the driver: everything is to be written."""
        return self.trackers.pop().close(10)

    def complete(self, number: int, *accuracies: float) -> None:
        """A trial's whole life in one attempt."""
        self.attempt(number)
        self.epochs(number, *accuracies)
        self.finish(number)

    def record(self) -> dict[str, Any]:
        """All that MLflow says of the study, without its own ids."""
        client = store.client(store.tracking_uri(self.home))
        found = client.get_experiment_by_name(self.study.name)
        assert found is not None
        runs = client.search_runs([found.experiment_id], max_results=1000)
        names = {run.info.run_id: run.data.tags["mlflow.runName"] for run in runs}
        told = {}
        for run in runs:
            name = names[run.info.run_id]
            assert name not in told, "two runs of one name"
            told[name] = {
                "status": run.info.status,
                "start": run.info.start_time,
                "end": run.info.end_time,
                "tags": {
                    # Links lead to the run itself, by an id that is MLflow's own.
                    key: names.get(value, value).replace(run.info.run_id, "this")
                    for key, value in run.data.tags.items()
                },
                "params": run.data.params,
                "latest": run.data.metrics,
                "history": {
                    key: [
                        (point.step, point.value, point.timestamp)
                        for point in client.get_metric_history(run.info.run_id, key)
                    ]
                    for key in run.data.metrics
                },
                "inputs": [each.dataset.digest for each in run.inputs.dataset_inputs],
                "artifacts": artifacts(run.info.artifact_uri),
            }
        return told

    def child(self, number: int) -> dict[str, Any]:
        """What MLflow says of a trial."""
        return self.record()[f"{number}-{self.trial(number).digest[:8]}"]


def artifacts(uri: str) -> dict[str, str]:
    """Path to text of every artifact of a run."""
    root = Path(uri.removeprefix("file://"))
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*.*")}


@pytest.fixture
def recorded(home: Home, with_mlflow: Callable[[Home], Home]) -> Iterator[Recorded]:
    """A study that is about to begin."""
    study = Recorded(with_mlflow(home))
    yield study
    for tracker in study.trackers:
        tracker.close(0)
