"""Pre-trained writers keep the contract of trials, and are served without the project."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from conf.loading.digests import trial_digest
from conf.runtime.errors import DenseError
from conf.runtime.home import Home
from conf.schema.study import Study
from tasks.evaluate.evaluation import evaluate
from tasks.evaluate.predictions import TextPredictions, read
from tasks.packaging.benchmark import generate, load
from tasks.packaging.pack import pack
from tasks.packaging.pack_seq2seq import target_losses
from tasks.packaging.packer import PackJob
from tasks.packaging.raw_rows import read_rows
from tasks.packaging.records import Candidate
from tasks.prepare import Prepared, prepare
from tasks.train.engine.protocol import Reporter
from tasks.train.folder import TrialFolder
from tasks.train.preflight import make_ready
from tasks.train.trial import fit
from tests.integration.champion.packed import check_package
from tests.specs import spec_of
from tests.tiny_writers import capitals, study_of, tiny_writer

FOREIGN = Path(__file__).with_name("foreign.py")
SILENT = Reporter(None, 0)
WAYS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "joined": ("seq2seq", "bert", {"beams": 1}),
    "joined lora": ("seq2seq", "bert", {"tune": "lora", "beams": 1}),
    "adalora": ("causal", "gpt2", {"tune": "adalora", "lora": {"rank": 4}, "beams": 2}),
    "prompt": ("causal", "gpt2", {"tune": "prompt", "virtual": 4, "beams": 1}),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    found = Home.open(tmp_path_factory.mktemp("writers") / "home")
    sources = found.path / "sources"
    sources.mkdir()
    for name in {name for _, name, _ in WAYS.values()}:
        tiny_writer(sources / name, name)
    capitals(sources / "capitals.tsv")
    return found


@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=() if way == "joined" else pytest.mark.long) for way in WAYS]
)
def test_resumed_equals_straight_through_and_the_package_writes_as_the_trial_did(
    way: str, home: Home, tmp_path: Path
) -> None:
    kind, name, model = WAYS[way]
    given = study_of(kind, name, **model)
    if way == "joined":
        given["train"] |= {"average": "ema", "average_decay": 0.9}
    study = Study.model_validate(given)
    prepared = prepare(study, home)
    make_ready(study, prepared.card, home, print)
    straight, parts = TrialFolder(tmp_path / "straight"), TrialFolder(tmp_path / "parts")
    result = fit.fit(spec_of(study.trial_config, prepared), straight, SILENT)
    assert result is not None and result.outcome == "complete"
    share = result.params_trainable / result.params_total
    assert share == 1.0 if way == "joined" else 0 < share < (0.6 if way == "joined lora" else 0.4)
    fit.fit(spec_of(study.trial_config, prepared, until=1), parts, SILENT)
    fit.fit(spec_of(study.trial_config, prepared, attempt=2), parts, SILENT)
    assert parts.weights.read_bytes() == straight.weights.read_bytes()
    assert parts.predictions.read_bytes() == straight.predictions.read_bytes()
    losses = [line.metrics["train/loss"] for line in straight.read_metrics()]
    assert way == "prompt" or losses[1] < losses[0]
    evaluation = evaluate(straight.path, study.trial_config)
    assert evaluation.value == result.value
    said = read(straight.predictions)
    assert isinstance(said, TextPredictions)
    _perplexity_is_the_same(study, prepared, straight, said)
    _served(study, prepared, straight, said, tmp_path, foreign=way == "prompt")


def _perplexity_is_the_same(
    study: Study, prepared: Prepared, folder: TrialFolder, said: TextPredictions
) -> None:
    losses, tokens = target_losses(
        study.trial_config,
        prepared.card,
        folder.weights,
        prepared.validation,
        said.ids,
        prepared.train.parent,
    )
    np.testing.assert_allclose(losses, said.losses, rtol=1e-3)
    np.testing.assert_array_equal(tokens, said.tokens)


def _served(
    study: Study,
    prepared: Prepared,
    folder: TrialFolder,
    said: TextPredictions,
    tmp_path: Path,
    *,
    foreign: bool,
) -> None:
    """The package answers the same here and, if asked for, where the project is absent."""
    candidate = Candidate(
        study=study.name,
        study_digest="0" * 64,
        data=prepared.key,
        number=0,
        digest=trial_digest(study.trial_config),
        config=study.trial_config,
        value=1.0,
        epochs=2,
        seed=1,
    )
    package = tmp_path / "model"
    weights = pack(PackJob(candidate, folder.path, prepared.card, prepared.train), package)
    check_package(candidate, folder.path, prepared, package)
    _others_are_refused(candidate, folder, prepared, package, tmp_path)
    assert weights.is_file()
    assert not [path for path in package.rglob("*") if path.suffix in (".pkl", ".pt", ".bin")]
    rows = read_rows(prepared.validation, prepared.card.inputs)
    mine = generate(load(package), rows)
    if study.model.beams == 1 or study.evaluate.texts.search == "beam":  # type: ignore[union-attr]
        kept = dict(zip(said.ids.tolist(), said.hypotheses, strict=True))
        assert mine.hypotheses == [kept[row] for row in rows.ids.tolist()]
    if not foreign:
        return
    (tmp_path / "texts.json").write_text(json.dumps(rows.values.tolist()))
    out, site = tmp_path / "out.json", sysconfig.get_paths()["purelib"]
    subprocess.run(
        [sys.executable, "-I", "-S", str(FOREIGN), site, str(package),
         str(tmp_path / "texts.json"), str(out)],
        check=True, cwd=tmp_path, timeout=120,
    )  # fmt: skip
    assert json.loads(out.read_text())["list"] == mine.hypotheses


def _others_are_refused(
    candidate: Candidate, folder: TrialFolder, prepared: Prepared, package: Path, tmp_path: Path
) -> None:
    """A package of other weights is not that of this training."""
    other = TrialFolder(tmp_path / "other")
    shutil.copytree(folder.path, other.path, dirs_exist_ok=True)
    save_file({name: each * 1.5 for name, each in load_file(other.weights).items()}, other.weights)
    with pytest.raises(DenseError, match=r"recipe none\) does not predict what the trained one"):
        check_package(candidate, other.path, prepared, package)
