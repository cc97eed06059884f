"""Settings of training that carry a state of their own: paused and promoted = straight through."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from conf.loading.digests import trial_digest
from conf.loading.trial_values import apply_values
from tasks.train.engine.protocol import Reporter
from tasks.train.folder import TrialFolder
from tasks.train.spec import TrialSpec
from tasks.train.trial.main import StopFlag, attempt
from tests.integration.train.conftest import EPOCHS, MakeSpec, assert_same

WAYS: dict[str, dict[str, Any]] = {
    "plateau": {"schedule": "plateau", "optimizer": "sgd", "lr": 1e-5, "warmup": 0.1},
    "adafactor and swa": {"optimizer": "adafactor", "average": "swa", "lr": 1e-2},
    "ema, adversarial, clipped": {
        "optimizer": "rmsprop", "average": "ema", "adversarial": 0.05, "clip": 1.0,
        "schedule": "one-cycle",
    },
}  # fmt: skip


def run(spec: TrialSpec, path: Path) -> TrialFolder:
    found = attempt(spec, TrialFolder(path), Reporter(None, 0), StopFlag())
    assert found is not None and found.outcome in ("complete", "paused"), found
    return TrialFolder(path)


def test_a_division_of_batches_changes_none_of_them(make_spec: MakeSpec, tmp_path: Path) -> None:
    """Clipped is a whole step's gradient, and averaged are whole steps; a row moves by itself."""
    settings = WAYS["ema, adversarial, clipped"] | {"optimizer": "sgd", "lr": 0.05, "clip": 0.1}
    values = {f"train.{name}": value for name, value in settings.items()}
    whole = apply_values(make_spec().config, values | {"model.dropout": 0.0})
    folders = []
    for config in (whole, apply_values(whole, {"train.micro_batch": 20})):
        spec = make_spec(config=config, digest=trial_digest(config))
        folders.append(run(spec, tmp_path / spec.digest))
    weights = [load_file(folder.weights) for folder in folders]
    for name, tensor in weights[0].items():
        torch.testing.assert_close(weights[1][name], tensor, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("way", WAYS)
def test_it_goes_on_as_if_it_had_not_been_paused(
    way: str, make_spec: MakeSpec, tmp_path: Path
) -> None:
    first = make_spec()
    values = {f"train.{name}": value for name, value in WAYS[way].items()}
    config = apply_values(first.config, values)
    changed = {"config": config, "digest": trial_digest(config)}
    whole = run(make_spec(**changed), tmp_path / "whole")
    for number, until in enumerate((EPOCHS - 1, EPOCHS), start=1):
        run(make_spec(**changed, until=until, attempt=number), tmp_path / "paused")
    assert_same(TrialFolder(tmp_path / "paused"), whole)
    if way == "plateau":
        plain = apply_values(config, {"train.schedule": "constant"})
        other = run(make_spec(config=plain, digest=trial_digest(plain)), tmp_path / "plain")
        losses = [
            [json.loads(line)["metrics"]["train/loss"] for line in each.metrics.open()]
            for each in (whole, other)
        ]
        assert losses[0][:3] == losses[1][:3] and losses[0][3] != losses[1][3]
