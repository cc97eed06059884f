"""From a study's name to the study, and everything wrong at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conf.loading.digests import study_digest
from conf.loading.load import load_study, study_names
from conf.runtime.errors import BadConfig, BadInput, ErrorDetail
from conf.schema.study import Study

SPACE = "search.space."
WEIGHTS = "model.weights"


def problems(*overrides: str) -> dict[str, ErrorDetail]:
    """Key to problem of the default study with overrides."""
    with pytest.raises(BadConfig) as caught:
        load_study("digits", overrides)
    return {problem.key: problem for problem in caught.value.problems}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of own studies."""
    monkeypatch.setenv("DENSE_STUDIES", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("name", study_names())
def test_every_shipped_study_is_valid_and_has_its_files_name(name: str) -> None:
    assert load_study(name).name == name


def test_overrides_reach_every_kind_of_place() -> None:
    study = load_study(
        "digits",
        ["train.lr=2e-3", "search.space.train.lr.low=1e-5", "augment.rotate=null",
         "search.space.augment.rotate.degrees=null", "stop.target=0.99",
         "evaluate.metrics=[accuracy, log_loss]", "name=other"],
    )  # fmt: skip
    assert study.train.lr == 2e-3
    assert study.search.space["train.lr"].low == 1e-5
    assert study.augment.rotate is None
    assert "augment.rotate.degrees" not in study.search.space
    assert (study.name, study.evaluate.metrics) == ("other", ("accuracy", "log_loss"))


def test_the_order_of_overrides_of_different_keys_does_not_matter() -> None:
    given = ["train.lr=2e-3", "model.width=20", "search.space.train.lr.high=1"]
    assert study_digest(load_study("digits", given)) == study_digest(
        load_study("digits", given[::-1])
    )


def test_an_own_study_extends_a_shipped_one_and_keeps_its_own_name(folder: Path) -> None:
    write(folder / "mine.yaml", "extends: digits\ntrain: {lr: 0.01}\n")
    study = load_study("mine")
    assert (study.name, study.train.lr, study.train.batch_size) == ("mine", 0.01, 64)


def test_the_short_form_of_a_log_scale_merges_with_the_long_one(folder: Path) -> None:
    write(folder / "mine.yaml", "extends: digits\nsearch: {space: {train.lr: {log: false}}}\n")
    assert load_study("mine").search.space["train.lr"].scale == "linear"


def test_a_path_is_accepted_only_if_allowed(tmp_path: Path) -> None:
    write(tmp_path / "some.yaml", "extends: digits\n")
    path = str(tmp_path / "some.yaml")
    assert load_study(path, allow_path=True).name == "some"
    with pytest.raises(BadInput, match="not the name of a study"):
        load_study(path)


@pytest.mark.parametrize(
    "name", ["digit", "../digits", "/etc/passwd", "Digits", "", "a" * 64, "no.yaml"]
)
@pytest.mark.parametrize("allow_path", [False, True])
def test_an_unknown_study_is_reported_in_one_sentence(name: str, allow_path: bool) -> None:
    with pytest.raises(BadInput) as caught:
        load_study(name, allow_path=allow_path)
    assert "\n" not in str(caught.value)
    assert ("did you mean digits?" in str(caught.value)) == (name == "digit")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "own.yaml is empty"),
        ("# nothing\n", "own.yaml is empty"),
        ("- a\n- b\n", "not a mapping"),
        ("extends: [base, digits]\n", "own.yaml:1: extends: takes one name"),
        ("seed: 1\nextends: bse\n", "own.yaml:2: extends: there is no study to extend 'bse'"),
        ("extends: own\n", "extends this study in turn"),
        ("extends: base\nname: Bad Name\n", "own.yaml:2: name: 'Bad Name' is not a name"),
        ("extends: base\ntrain: {lr: on}\n", "own.yaml:2: train.lr: on is not a number"),
        ("extends: base\ntrain:\n  lr: 1\n  lr: 2\n", "own.yaml:4: YAML: the key 'lr' is duplicat"),
        ("extends: base\nname: 3\n", "own.yaml:2: name: 3 is not text"),
    ],
)  # fmt: skip
def test_an_invalid_file_is_reported_with_its_line(folder: Path, text: str, says: str) -> None:
    write(folder / "own.yaml", text)
    with pytest.raises(BadInput) as caught:
        load_study("own")
    assert says in str(caught.value)


def test_a_cycle_of_parents_is_refused(folder: Path) -> None:
    write(folder / "one.yaml", "extends: two\n")
    write(folder / "two.yaml", "extends: one\n")
    with pytest.raises(BadConfig, match=r"two.yaml:1: extends: 'one' extends this study in turn"):
        load_study("one")


def test_an_own_study_may_not_hide_a_shipped_one(folder: Path) -> None:
    write(folder / "digits.yaml", "extends: base\n")
    with pytest.raises(BadInput, match="another name"):
        load_study("digits")


def test_a_folder_of_own_studies_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENSE_STUDIES", "/nonexistent")
    with pytest.raises(BadInput, match="DENSE_STUDIES"):
        load_study("digits")


def test_all_errors_are_reported_at_once(folder: Path) -> None:
    write(
        folder / "own.yaml",
        "extends: digits\ntrain:\n  lr: -1\n  epoch: 3\nmodel:\n  width: 1.5\n"
        "search:\n  space:\n    train.weight_decay: {low: 0, high: 99}\n",
    )
    with pytest.raises(BadConfig) as caught:
        load_study("own", ["nonsense", "resources.slots=0", "search.space.model.width.high=9999"])
    found = {problem.key: problem for problem in caught.value.problems}
    assert {key: problem.where for key, problem in found.items()} == {
        "overrides": "override 'nonsense'",
        "train.lr": "own.yaml:3",
        "train.epoch": "own.yaml:4",
        "model.width": "own.yaml:6",
        "search.space.train.weight_decay": "own.yaml:9",
        "resources.slots": "override 'resources.slots=0'",
        "search.space.model.width": "override 'search.space.model.width.high=9999'",
    }
    assert found["train.epoch"].remedy == "did you mean train.epochs?"
    assert found["train.lr"].value == -1


@pytest.mark.parametrize(
    ("override", "key", "says"),
    [
        ("tain.lr=1", "tain", "did you mean train?"),
        ("lr=1", "lr", "did you mean train.lr?"),
        ("train.optimizer=adm", "train.optimizer", "did you mean adam?"),
        ("train=null", "train", "null is not a mapping"),
        ("train=[1]", "train", "is not a mapping"),
        ("resources.slots=many", "resources.slots", "many is not auto or a whole number"),
        ("split={by: given, tset: 1}", "split.tset", "unknown key"),
        ("split={by: given, test: 0.1}", "split.test", "it goes with by: stratified, random"),
        ("split={by: tim}", "split", "by tim is not a choice here; did you mean time?"),
        ("data={source: table}", "data.path", "is missing"),
        ("seed=true", "seed", "is not a whole number"),
        ("seed=-1", "seed", "-1 is not at least 0"),
        ("stop.target=.nan", "stop.target", "not a finite number"),
        ("evaluate.objective=f1_micro", "evaluate", "is not computed"),
        ("evaluate.objective=rmse", "evaluate", "'rmse' is no metric of classification; known for"),
        ("evaluate.objective=acuracy", "evaluate.objective",
         "evaluate.objective: acuracy is not a choice here; did you mean accuracy?"),
        (WEIGHTS + "={source: hub, name: x, revision: main}", WEIGHTS + ".revision",
         "main is not a commit; use its commit's 40 hex digits, shown under Files"),
        ("train.larning_rate=1", "train.larning_rate", "did you mean train.lr?"),
        ("train.max_epochs=1", "train.max_epochs", "did you mean train.epochs?"),
        ("learning_rate=1", "learning_rate", "did you mean train.lr?"),
        ("model={kind: transformer, lora: {r: 4}}", "model.lora.r",
         "did you mean model.lora.rank?"),
        (SPACE + "train.learning_rate={low: 1, high: 2}", SPACE + "train.learning_rate",
         "did you mean train.lr?"),
        (WEIGHTS + "=bert-base", WEIGHTS, "{source: hub, name: bert-base, revision: ...}"),
        (WEIGHTS + "={source: package, name: bert-base}", WEIGHTS + ".name",
         "names of the hub go with source: hub"),
        ("evaluate.metrics=[]", "evaluate.metrics", "must not be empty"),
        ("split.validation=0.9", "split.validation", "below 0.9"),
        ("name=é", "name", "is not a name"),
        ("search.space.X=1", "search.space.X", "is not a name"),
        (SPACE + "train.lr=3", SPACE + "train.lr", "write {low: ..., high: ...}"),
        (SPACE + "train.lr={low: 1}", SPACE + "train.lr", "low 1 is above high 0.1"),
    ],
)  # fmt: skip
def test_each_bad_value_has_key_and_remedy(override: str, key: str, says: str) -> None:
    found = problems(override, *(["model.kind=transformer"] if WEIGHTS in override else []))
    assert key in found
    assert says in str(found[key])
    assert found[key].where.startswith("override ")


MUCH = "x" * 100_000


@pytest.mark.parametrize(
    "overrides",
    [
        pytest.param([f"{MUCH}=1"], id="section"),
        pytest.param([f"train.{MUCH}=1"], id="key"),
        pytest.param([f"-{MUCH}=1"], id="no path"),
        pytest.param([f"name={MUCH}"], id="name"),
        pytest.param([f"train.x{number}=1" for number in range(900)], id="many keys"),
        pytest.param(
            [f"search.space.x.y{number}={{low: 0, high: 1}}" for number in range(900)],
            id="many dimensions",
        ),
    ],
)
def test_many_errors_are_cut_to_a_few_lines(overrides: list[str]) -> None:
    with pytest.raises(BadConfig) as caught:
        load_study("digits", overrides)
    lines = str(caught.value).splitlines()
    assert len(lines) <= 21 and max(map(len, lines)) < 1_000
    assert (len(overrides) > 1) == (lines[-1] == "and more is wrong; mend these first")


def test_loading_a_study_imports_nothing_heavy() -> None:
    code = (
        "import sys; from conf.loading.load import load_study; load_study('digits')\n"
        "import conf.loading.plan\n"
        "heavy = {'torch', 'mlflow', 'prefect', 'sklearn', 'skopt', 'numpy', 'pandas', 'plotly',"
        " 'pytorch_lightning', 'transformers', 'datasets', 'scipy', 'pyarrow'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_loaded_study_goes_through_json_unchanged() -> None:
    study = load_study("digits")
    assert Study.model_validate_json(study.model_dump_json()) == study
