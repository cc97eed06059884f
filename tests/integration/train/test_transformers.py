"""Pre-trained models of texts, and heads on their features, keep the contract of trials, and are
served without the project."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from conf.loading.digests import trial_digest
from conf.runtime.errors import DenseError
from conf.runtime.home import Home
from conf.schema.study import Study, TrialConfig
from tasks.packaging.benchmark import load
from tasks.packaging.pack import pack
from tasks.packaging.packer import PackJob
from tasks.packaging.raw_rows import read_rows
from tasks.packaging.records import Candidate
from tasks.prepare import Prepared, prepare, test_path
from tasks.train.engine.client import TrialServer
from tasks.train.engine.local import LocalEngine
from tasks.train.folder import TrialFolder
from tasks.train.preflight import make_ready
from tasks.train.spec import Result
from tests.integration.champion.packed import check_package
from tests.integration.train.conftest import assert_same
from tests.specs import spec_of
from tests.tiny import study_of, tiny_bert, tweets

WAYS: dict[str, dict[str, Any]] = {
    "full": {"model": {"layer_decay": 0.9, "dropout": 0.0}, "train": {"average": "ema"}},
    "lora": {
        "model": {"tune": "lora", "lora": {"rank": 2, "dropout": 0.1, "targets": "query,value"}},
        "train": {"adversarial": 0.1, "warmup": 0.2, "schedule": "linear"},
    },
    "head": {
        "model": {"kind": "head", "depth": 1, "width": 8},
        "train": {"label_smoothing": 0.1, "class_weights": "balanced"},
    },
    "head_of_changed": {
        "model": {"kind": "head"},
        "train": {"adversarial": 0.1},
        "augment": {"typos": {"share": 0.05}},
    },
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    found = Home.open(tmp_path_factory.mktemp("texts") / "home")
    sources = found.path / "sources"
    sources.mkdir()
    tiny_bert(sources / "bert")
    tweets(sources / "tweets.csv")
    return found


@pytest.fixture(scope="module")
def engine(home: Home, server: TrialServer) -> LocalEngine:
    return LocalEngine(home, slots=1, server=server)


def config_of(way: str) -> TrialConfig:
    given = study_of(**WAYS[way]["model"])
    given["train"] |= WAYS[way]["train"]
    given["augment"] = WAYS[way].get("augment", {})
    return Study.model_validate(given).trial_config


@pytest.fixture(scope="module")
def prepared(home: Home) -> Prepared:
    study = Study.model_validate(study_of())
    found = prepare(study, home)
    make_ready(study, found.card, home, print)
    return found


@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=() if way == "lora" else pytest.mark.long) for way in WAYS]
)
def test_resumed_equals_straight_through_and_what_is_served_answers_texts(
    way: str, engine: LocalEngine, prepared: Prepared, tmp_path: Path
) -> None:
    config = config_of(way)
    straight, parts = TrialFolder(tmp_path / "straight"), TrialFolder(tmp_path / "parts")
    done = engine.run(spec_of(config, prepared), straight.path)
    assert done.outcome == "complete", done
    killed = engine.run(spec_of(config, prepared, study="die-after-line"), parts.path)
    assert killed.cause == "killed"
    assert engine.run(spec_of(config, prepared, attempt=2, until=2), parts.path).epochs == 2
    assert engine.run(spec_of(config, prepared, attempt=3), parts.path).outcome == "complete"
    assert_same(parts, straight)
    result = Result.read(straight.path)
    assert result is not None and result.value is not None
    assert way != "full" or result.value > 0.8
    share = result.params_trainable / result.params_total
    assert share == 1.0 if way in ("full", "head") else share < 0.2
    if way == "head":  # once for each part, by the first trial that asked
        assert len(list((prepared.path.parents[1] / "features").glob("*/*.npy"))) == 2
    if way != "full":
        _served(config, straight.path, prepared, tmp_path)


@pytest.mark.long
def test_a_divided_transformer_follows_the_same_trajectory(
    engine: LocalEngine, prepared: Prepared, tmp_path: Path
) -> None:
    given = study_of(dropout=0.0)
    given["train"] |= {"gradient_checkpointing": True, "clip": 1.0, "epochs": 2}
    config = Study.model_validate(given).trial_config
    whole, divided = TrialFolder(tmp_path / "whole"), TrialFolder(tmp_path / "divided")
    assert engine.run(spec_of(config, prepared), whole.path).outcome == "complete"
    first = spec_of(config, prepared, devices=2, strategy="fsdp", until=1)
    paused = engine.run(first, divided.path)
    assert paused.outcome == "paused", paused
    assert engine.run(spec_of(config, prepared, attempt=2), divided.path).outcome == "complete"
    curves = [[line.metrics["train/loss"] for line in f.read_metrics()] for f in (whole, divided)]
    assert curves[1] == pytest.approx(curves[0], rel=1e-3)


def _served(config: TrialConfig, folder: Path, prepared: Prepared, tmp_path: Path) -> None:
    """The package answers as the trial did, also where the project is absent."""
    candidate = Candidate(
        study="tiny",
        study_digest="d",
        number=0,
        digest=trial_digest(config),
        data=prepared.key,
        seed=0,
        epochs=3,
        value=1.0,
        config=config,
    )
    model = tmp_path / "model"
    pack(PackJob(candidate, folder, prepared.card, prepared.train), model)
    check_package(candidate, folder, prepared, model)
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    weights = TrialFolder(other).weights
    save_file({name: -each for name, each in load_file(weights).items()}, weights)
    with pytest.raises(DenseError, match=r"recipe none\) does not predict .* difference over"):
        check_package(candidate, other, prepared, model)
    rows = read_rows(prepared.validation, prepared.card.inputs)
    texts = [str(text) for text in rows.values]
    said = load(model).predict(texts)
    from tasks.evaluate.predictions import read

    kept = read(TrialFolder(folder).predictions)
    mine = dict(zip(kept.ids.tolist(), kept.probabilities.tolist(), strict=True))
    for number, answer in zip(rows.ids.tolist(), said["p_bad"].tolist(), strict=True):
        assert answer == pytest.approx(mine[number][0], abs=1e-5)
    script = (
        "import json, sys; sys.path.append(sys.argv[1])\n"
        "import mlflow.pyfunc\n"
        "model = mlflow.pyfunc.load_model(sys.argv[2])\n"
        "said = model.predict(json.loads(sys.argv[3]))\n"
        "assert 'transformers' not in sys.modules and 'conf' not in sys.modules\n"
        "print(json.dumps(said['label'].tolist()))\n"
    )
    site = next(path for path in sys.path if path.endswith("site-packages"))
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script, site, str(model), json.dumps(texts[:3])],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == said["label"].tolist()[:3]
    assert test_path(prepared).is_dir()
