"""A view of MLflow's pages in which a study's trials stand side by side: made once, shared by link.

MLflow folds trials under their parent and charts ten runs. The view shows all trials, best first,
in parallel coordinates over the settings that every one of them has, and their curves by epoch. It
is a tag of the experiment, as the pages' own "share view" writes it; MLflow has no call for it.
"""

from __future__ import annotations

import json
from typing import Any

from conf.schema.evaluate import Evaluate
from conf.schema.study import Study

KEY = "trials"
TAG = f"mlflow.sharedViewState.{KEY}"
LONGEST = 5_000  # characters that MLflow takes of an experiment's tag
TRAINING = "workflowType=machine_learning"
"""Of an address: the pages for training, where MLflow would else open those for agents."""
HEIGHT = 400  # pixels of a chart
SETTINGS, CURVES = "dense-settings", "dense-curves"


def path(experiment_id: str) -> str:
    """Where MLflow's pages show it, below the server's address."""
    shown = f"viewStateShareKey={KEY}&compareRunsMode=CHART&{TRAINING}"
    return f"#/experiments/{experiment_id}/runs?{shown}"


def file_path(experiment_id: str, run_id: str, name: str) -> str:
    """Where MLflow's pages show a file of a run, below the server's address."""
    return f"#/experiments/{experiment_id}/runs/{run_id}/artifacts/{name}?{TRAINING}"


def view(study: Study) -> str | None:
    """The tag's value; None for a space of so many settings that MLflow would not take it."""
    rising = study.evaluate.direction == "maximize"
    state = {
        "searchFilter": "tags.`dense.kind` = 'trial'",
        "orderByKey": "metrics.`objective`",
        "orderByAsc": not rising,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "runsHiddenMode": "SHOW_ALL",
        "hideEmptyCharts": True,
        "isAccordionReordered": True,
        "compareRunSections": [_section(SETTINGS, "settings", 1), _section(CURVES, "curves", 2)],
        "compareRunCharts": [_parallel(study), *(_curve(name) for name in curves(study.evaluate))],
    }
    text = json.dumps(state, separators=(",", ":"))
    return text if len(text) <= LONGEST else None


def settings(study: Study) -> list[str]:
    """The searched settings that are active in every trial: an axis without holes each."""
    space: dict[str, dict[str, Any]] = study.model_dump(mode="json")["search"]["space"]
    return [key for key, domain in space.items() if not domain.get("when")]


def curves(evaluate: Evaluate) -> list[str]:
    """What is looked at by epoch."""
    return [f"val/{evaluate.objective}", "train/loss"]


def _section(uuid: str, name: str, columns: int) -> dict[str, Any]:
    shape = {"columns": columns, "cardHeight": HEIGHT}
    return {"uuid": uuid, "name": name, "display": True, "isReordered": True, **shape}


def _parallel(study: Study) -> dict[str, Any]:
    return {
        **_chart("dense-parallel", "PARALLEL", SETTINGS),
        "showAllRuns": True,
        "selectedParams": settings(study),
        "selectedMetrics": ["objective"],
    }


def _curve(metric: str) -> dict[str, Any]:
    return {
        **_chart(f"dense-{metric}", "LINE", CURVES),
        "metricKey": metric,
        "selectedMetricKeys": [metric],
        "selectedXAxisMetricKey": "",
        "xAxisKey": "step",
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "scaleType": "linear",
        "xAxisScaleType": "linear",
        "lineSmoothness": 0,
        "useGlobalXaxisKey": True,
        "useGlobalLineSmoothing": True,
        "ignoreOutliers": False,
        "range": {},
    }


def _chart(uuid: str, kind: str, section: str) -> dict[str, Any]:
    return {
        "uuid": uuid,
        "type": kind,
        "runsCountToCompare": 100,
        "metricSectionId": section,
        "deleted": False,
        "isGenerated": False,
    }
