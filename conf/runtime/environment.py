"""Switches that must be set before the libraries that they concern are imported."""

from __future__ import annotations

import gc
import os

RARELY = (50_000, 20, 100)
"""Thresholds of the garbage collector. An import makes objects by the hundred thousand, and all of
them stay: with Python's own thresholds a tenth of every start goes into looking for garbage."""

SWITCHES = {
    # No library reports home, and none looks for a newer version of itself.
    "DO_NOT_TRACK": "true",  # MLflow honours only the word; Prefect honours it too.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    # A node's death is told by the trials it cost, not by pages of its log.
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    # A dead MLflow server must not block a writer for minutes; the journal is the queue.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # Forked trials must not inherit a tokenizer's thread pool.
    "TOKENIZERS_PARALLELISM": "false",
}


def apply() -> None:
    """Set every switch that the user has not set."""
    gc.set_threshold(*RARELY)
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)
