"""Record a drift report in the home, in MLflow and as a page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from conf.runtime.atomic_write import write_atomically
from conf.runtime.home import Home
from tasks.monitor.drift import DriftReport
from tasks.monitor.incoming import folder_of
from tasks.monitor.page import write_page
from tasks.registry.register import experiment_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

LOOK = "look.json"
EARLIER = 50
"""Number of earlier reports that a page shows."""


@dataclass(frozen=True)
class MonitorRun:
    """A recorded drift report, with its MLflow run and its page."""

    look: DriftReport
    run_id: str
    page: Path


@dataclass(frozen=True)
class NoNewRows:
    """There are not enough new rows for a drift report."""

    why: str


def record_run(client: MlflowClient, home: Home, look: DriftReport) -> MonitorRun:
    """Write the report and its page into the home, and an MLflow run (`dense.kind` is `monitor`)
    into the study's experiment.

    Raises:
        DenseError: the experiment is gone.
    """
    earlier = earlier_reports(home, look.model)
    stamp = datetime.fromtimestamp(look.time, UTC).strftime("%Y%m%d-%H%M%S-%f")
    folder = folder_of(home, look.model) / stamp
    page = write_page(folder, look, earlier[-EARLIER:])
    run_id = _run(client, home, look, page)
    write_atomically(folder / LOOK, look.model_dump_json() + "\n")
    return MonitorRun(look, run_id, page)


def earlier_reports(home: Home, model: str) -> list[DriftReport]:
    """Earlier reports of a model, oldest first; unreadable ones are skipped."""
    reports = []
    for path in sorted(folder_of(home, model).glob(f"*/{LOOK}")):
        try:
            reports.append(DriftReport.model_validate_json(path.read_bytes()))
        except (OSError, ValidationError):
            continue
    return reports


def _run(client: MlflowClient, home: Home, look: DriftReport, page: Path) -> str:
    from mlflow.entities import Metric

    time = int(look.time * 1000)
    tags = {
        "dense.kind": "monitor",
        "dense.study": look.study,
        "dense.model": look.model,
        "dense.version": look.version,
        "dense.alarm": str(look.alarm).lower(),
        "dense.home": home.id,
        "mlflow.runName": f"monitor-{datetime.fromtimestamp(look.time, UTC):%Y-%m-%dT%H:%M}",
        "mlflow.note.content": look.why,
    }
    experiment = experiment_of(client, look.study)
    run_id: str = client.create_run(experiment, start_time=time, tags=tags).info.run_id
    points = [Metric(name, value, time, 0) for name, value in _values(look).items()]
    client.log_batch(run_id, metrics=points)
    client.log_dict(run_id, look.model_dump(mode="json"), LOOK)
    client.log_artifact(run_id, str(page))
    client.set_terminated(run_id, "FINISHED", end_time=time)
    return run_id


def _values(look: DriftReport) -> dict[str, float]:
    values = {
        "alarm": float(look.alarm),
        "rows": float(look.rows),
        "labelled": float(look.labelled),
        "stability": max((each.stability for each in look.features if each.tested), default=0.0),
    }
    for test in look.tests:
        name = test.name.replace(":", "").replace(",", "")
        values |= {f"drift/{name}": test.value, f"p/{name}": test.p}
    values |= {f"now/{each.name}": each.now for each in look.answers}
    return values | {f"now/{name}": metric.value for name, metric in look.metrics.items()}
