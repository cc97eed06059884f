"""A study of pairs, from a file to the served model: the trial's contract, and what is written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from conf.loading.digests import trial_digest
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
from tasks.prepare import Prepared, prepare, test_path
from tasks.train.engine.protocol import Reporter
from tasks.train.folder import TrialFolder
from tasks.train.trial import fit
from tests.integration.champion.packed import check_package
from tests.specs import spec_of

FOREIGN = Path(__file__).with_name("foreign.py")
EPOCHS = 4
ONES = ["cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve"]


SILENT = Reporter(None, 0)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("files")
    lines = [f"{n}\t{' '.join(ONES[int(digit)] for digit in str(n))}" for n in range(10, 510)]
    (folder / "numbers.tsv").write_text("\n".join(lines), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENSE_DATA", str(folder))
    return Study.model_validate(
        {
            "name": "numbers",
            "data": {"source": "pairs", "path": str(folder / "numbers.tsv")},
            "clean": {"text": {"vocabulary": 320, "tokens": 24, "ratio": 50.0}},
            "split": {"by": "group", "validation": 0.2, "test": 0.1},
            "model": {"kind": "gru", "width": 48, "dropout": 0.1, "smoothing": 0.0},
            "train": {"epochs": EPOCHS, "batch_size": 16, "lr": 1e-2, "clip": 1.0},
            "evaluate": {
                "objective": "chrf",
                "metrics": ["chrf", "bleu", "exact_match", "perplexity"],
                "texts": {"rows": 60},
            },
            "search": {"trials": 1},
        }
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home.open(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def prepared(study: Study, home: Home) -> Prepared:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENSE_DATA", str(Path(study.data.path).parent))  # type: ignore[union-attr]
        return prepare(study, home)


@pytest.fixture(scope="module")
def straight(
    study: Study, prepared: Prepared, tmp_path_factory: pytest.TempPathFactory
) -> TrialFolder:
    folder = TrialFolder(tmp_path_factory.mktemp("straight"))
    result = fit.fit(spec_of(study.trial_config, prepared), folder, SILENT)
    assert result is not None and result.outcome == "complete"
    return folder


def test_it_learns_and_its_objective_is_that_of_its_predictions(
    study: Study, straight: TrialFolder
) -> None:
    found = evaluate(straight.path, study.trial_config)
    assert found.rows == 60
    assert found.metrics["chrf"].value > 45
    curve = [line.metrics["val/chrf"] for line in straight.read_metrics()]
    assert found.value == max(curve)
    said = read(straight.predictions)
    assert isinstance(said, TextPredictions)
    assert {word for text in said.references for word in text.split()} <= set(ONES)


def test_a_trial_that_was_interrupted_ends_as_if_it_had_not_been(
    study: Study, prepared: Prepared, straight: TrialFolder, tmp_path: Path
) -> None:
    folder = TrialFolder(tmp_path)
    paused = fit.fit(spec_of(study.trial_config, prepared, until=2), folder, SILENT)
    assert paused is not None and paused.outcome == "paused"
    fit.fit(spec_of(study.trial_config, prepared, attempt=2), folder, SILENT)
    assert folder.weights.read_bytes() == straight.weights.read_bytes()
    assert folder.predictions.read_bytes() == straight.predictions.read_bytes()
    values = [[line.metrics for line in each.read_metrics()] for each in (folder, straight)]
    assert values[0] == values[1]


def test_half_the_micro_batch_learns_the_same(
    study: Study, prepared: Prepared, tmp_path: Path
) -> None:
    config = study.trial_config
    plain = config.model_copy(update={"model": config.model.model_copy(update={"dropout": 0.0})})
    losses = []
    for halvings in (0, 1):
        folder = TrialFolder(tmp_path / str(halvings))
        spec = spec_of(plain, prepared, until=1, halvings=halvings)
        fit.fit(spec, folder, SILENT)
        losses.append(folder.read_metrics()[0].metrics)
    assert losses[0]["train/loss"] == pytest.approx(losses[1]["train/loss"], rel=2e-3)


def test_the_packed_model_answers_without_the_project(
    study: Study, prepared: Prepared, straight: TrialFolder, tmp_path: Path
) -> None:
    shutil.copytree(straight.path, tmp_path / "final")
    candidate = Candidate(
        study=study.name,
        study_digest="0" * 64,
        data=prepared.key,
        number=0,
        digest=trial_digest(study.trial_config),
        config=study.trial_config,
        value=50.0,
        epochs=EPOCHS,
        seed=1,
    )
    package = tmp_path / "model"
    job = PackJob(candidate, tmp_path / "final", prepared.card, prepared.train)
    weights = pack(job, package)
    check_package(candidate, tmp_path / "final", prepared, package)
    assert weights.is_file()
    assert not [path for path in package.rglob("*") if path.suffix in (".pkl", ".pt", ".pickle")]
    rows = read_rows(test_path(prepared), prepared.card.inputs)
    said = generate(load(package), rows)
    assert len(said.hypotheses) == prepared.card.rows.test
    (tmp_path / "texts.json").write_text(json.dumps(rows.values.tolist()))
    site = sysconfig.get_paths()["purelib"]
    out = tmp_path / "out.json"
    subprocess.run(
        [sys.executable, "-I", "-S", str(FOREIGN), site, str(package),
         str(tmp_path / "texts.json"), str(out)],
        check=True, cwd=tmp_path, timeout=120,
    )  # fmt: skip
    answers = json.loads(out.read_text())
    assert answers == {
        "list": said.hypotheses, "frame": said.hypotheses, "one": said.hypotheses[:1],
    }  # fmt: skip
    right = np.mean([a == b for a, b in zip(said.hypotheses, said.references, strict=True)])
    assert right > 0.3


def test_losses_are_in_the_order_that_is_asked_for(
    study: Study, prepared: Prepared, straight: TrialFolder
) -> None:
    said = read(straight.predictions)
    assert isinstance(said, TextPredictions)
    losses, tokens = target_losses(
        study.trial_config,
        prepared.card,
        straight.weights,
        prepared.validation,
        said.ids,
        prepared.train.parent,
    )
    np.testing.assert_allclose(losses, said.losses, rtol=1e-4)
    np.testing.assert_array_equal(tokens, said.tokens)
