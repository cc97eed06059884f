"""The command that repeats a study is exact."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from conf.loading.load import load_study, study_names
from conf.runtime.provenance import versions
from conf.schema.data import TableData
from conf.schema.run import StoppingCriteria
from conf.schema.study import Study
from tasks.report.reproduce import as_study_file, command, differences, needed
from tasks.study.identity import study_json

SPACE = "search.space."
VISION = "model={kind: vision, weights: {source: package, name: minilm}}"
GONE = Path("gone", "study.json")


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["search.trials=24", "seed=3"],
        ["train.lr=2e-5", SPACE + "train.lr.low=1e-5"],
        [SPACE + "train.lr=null", "augment.rotate.p=1"],
        ["augment.shift={p: 0.25}", SPACE + "augment.shift.p={low: 0, high: 1}"],
        [SPACE + "train.batch_size={low: 8, high: 128, type: int, scale: log}"],
        [SPACE + "model.width={choices: [16, 32]}", "stop.failures=null", "stop.target=0.99"],
        ["evaluate={objective: f1_macro, metrics: [f1_macro, log_loss]}"],
        ["split={by: random, validation: 0.1}"],
    ],
    ids=lambda overrides: " ".join(overrides) or "as written",
)
def test_it_gives_the_same_study(overrides: list[str]) -> None:
    study = load_study("digits", overrides)
    dense, run, name, *again = shlex.split(command(study, GONE))
    assert (dense, run) == ("dense", "run")
    assert load_study(name, again) == study


def test_only_what_differs_is_named() -> None:
    study = load_study("digits", ["search.trials=24"])
    assert differences(load_study("digits"), study) == ["search.trials=24"]


OVERRIDES = ["search.trials=3", "train.epochs=2", "name=topics"]


@pytest.mark.parametrize("there", [True, False], ids=["its file is here", "it is not"])
def test_a_study_of_a_file_is_begun_by_it_or_by_the_record(
    there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    study = load_study("digits", OVERRIDES)
    (tmp_path / "my home").mkdir()
    kept = tmp_path / "my home" / "study.json"
    kept.write_text(study_json(study.model_copy(update={"stop": StoppingCriteria(target=0.9)})))
    if there:
        (tmp_path / "topics.yaml").write_text("extends: digits\ntrain: {epochs: 5}\n")
    name, *again = shlex.split(command(study, kept))[2:]
    assert load_study(name, again, allow_path=True) == study
    expected = {"search.trials=3", "train.epochs=2"} if there else {"stop.target=null"}
    assert (name, set(again)) == ("topics.yaml" if there else str(kept), expected)


def test_a_record_that_cannot_be_read_leaves_the_file_on_the_page() -> None:
    assert command(load_study("digits", ["name=other"]), GONE) == "dense run other.yaml"


def test_files_that_are_looked_for_in_a_folder_are_named() -> None:
    study = load_study("digits")
    assert needed(study) == []
    for path, named in (("/data/texts.csv", []), ("texts.csv", ["texts.csv"])):
        data = TableData(path=path, label="topic", text="text")
        assert needed(study.model_copy(update={"data": data})) == named


def again(study: Study, folder: Path) -> tuple[Study, str]:
    """The study as its own file gives it, and that file's text."""
    text = as_study_file(study)
    (folder / "again.yaml").write_text(text)
    return load_study(str(folder / "again.yaml"), allow_path=True), text


@pytest.mark.parametrize("name", study_names())
def test_a_study_file_of_what_differs_gives_the_same_study(name: str, tmp_path: Path) -> None:
    study = load_study(name)
    found, text = again(study, tmp_path)
    assert found == study
    assert len(text.splitlines()) < 60, "no longer than a person writes it"


@pytest.mark.parametrize(
    "overrides",
    [
        ["evaluate.objective=[accuracy, latency_ms]", "stop.failures=null"],
        ["evaluate.objective=[accuracy, latency_ms]", "evaluate.metrics=[accuracy]"],
        ["evaluate={objective: f1_macro, metrics: [f1_macro, log_loss]}"],
        ["split={by: random}", "search.rungs={}", "clean.outliers={kind: iqr}", "clean.near={}"],
        [VISION, SPACE + "model.width=null", SPACE + "model.dropout=null", SPACE + "auto=true"],
        [SPACE + "train.lr={low: 1e-3, high: 1, prior: {around: 0.1}}"],
        [SPACE + "model.kind={choices: [cnn, mlp], ordered: true}", "clean.missing=constant",
         SPACE + "model.width.when={model.kind: [cnn, mlp]}", "augment.rotate={}", "seed=3"],
    ],
    ids=lambda overrides: " ".join(overrides),
)  # fmt: skip
def test_so_does_one_with_settings_of_any_kind(overrides: list[str], tmp_path: Path) -> None:
    study = load_study("digits", overrides)
    assert again(study, tmp_path)[0] == study


def test_a_study_file_says_nothing_that_base_does(tmp_path: Path) -> None:
    _, text = again(load_study("digits", ["train.epochs=2", "model.width=48"]), tmp_path)
    lines = [
        "extends: base",
        "name: digits",
        "train: {epochs: 2}",
        "model: {kind: cnn, width: 48}",
        "augment: {rotate: {}}",
        "    model.width: {low: 16.0, high: 64.0, type: int}",
    ]
    for line in lines:
        assert line in text.splitlines()
    for said in ("duplicates", "patience", "lr: 0.001", "objective", "resources"):
        assert said not in text


def test_the_versions_that_matter_are_there() -> None:
    assert {"python", "dense", "torch", "numpy"} <= versions().keys()
