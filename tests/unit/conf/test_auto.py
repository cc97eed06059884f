"""`space: auto`: what is searched when nobody says it."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from conf.loading.auto_space import auto_space, tables
from conf.loading.digests import study_digest
from conf.loading.load import load_study, study_names
from conf.loading.trial_values import active_values, apply_values, contains
from conf.runtime.errors import BadConfig
from conf.schema.model import Model
from conf.schema.search import Choices, Range, Search
from conf.schema.study import Study


def own(folder: Path, text: str) -> Study:
    """The study in a file of this text."""
    file = folder / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return load_study(str(file), allow_path=True)


@pytest.mark.parametrize("name", study_names())
def test_recommended_ranges_contain_trial_0_of_every_shipped_study(name: str) -> None:
    config = load_study(name).trial_config
    space = Search(space=auto_space(config, {})).space
    assert space
    first = active_values(space, config)
    assert first.keys() == space.keys()
    assert all(contains(space[key], value) for key, value in first.items())


@pytest.mark.parametrize(
    ("model", "searched"),
    [
        ("{kind: seq2seq}", {"model.smoothing"}),
        ("{kind: seq2seq, tune: adalora}", {"model.smoothing", "model.lora.rank"}),
        ("{kind: causal, tune: prefix}", {"model.virtual"}),
    ],
    ids=["seq2seq", "adalora", "prefix"],
)
def test_text_generation_has_its_own_ranges(model: str, searched: set[str], tmp_path: Path) -> None:
    study = own(
        tmp_path,
        f"extends: base\nmodel: {model}\ndata: {{source: pairs, path: x.tsv}}\n"
        "evaluate: {objective: bleu, metrics: [bleu]}\nsearch: {space: auto}\n",
    )
    of_model = {key for key in study.search.space if key.startswith("model.")}
    assert searched <= of_model and "model.layer_decay" not in of_model
    assert ("model.virtual" in of_model) == ("prefix" in model)


def test_auto_and_its_ranges_written_out_are_the_same_study(tmp_path: Path) -> None:
    study = own(tmp_path, "extends: base\nsearch: {space: auto}\n")
    same = own(tmp_path, "extends: base\nsearch: {space: {auto: true}}\n")
    assert study_digest(study) == study_digest(same)
    said = study.model_dump(mode="json")["search"]["space"]
    assert {"train.lr", "model.width"} <= said.keys() and "auto" not in said


def test_named_dimensions_are_merged_over_auto(tmp_path: Path) -> None:
    study = own(
        tmp_path,
        "extends: base\nsearch: {space: {auto: true, train.lr: {high: 1e-2}, "
        "train.batch_size: {low: 16, high: 64, type: int}, model.dropout: null, "
        "train.clip: {low: 0.1, high: 10, scale: log}}}\ntrain: {clip: 1.0}\n",
    )
    space = study.search.space
    assert space["train.lr"] == Range(low=1e-4, high=1e-2, scale="log")
    assert space["train.batch_size"] == Range(low=16, high=64, type="int")
    assert "model.dropout" not in space
    assert space["train.clip"].scale == "log"


def test_ranges_are_widened_to_the_studys_values(tmp_path: Path) -> None:
    space = own(
        tmp_path,
        "extends: base\ntrain: {lr: 1.0, batch_size: 48, weight_decay: 0.0}\n"
        "search: {space: auto}\n",
    ).search.space
    assert space["train.lr"] == Range(low=1e-4, high=1.0, scale="log")
    assert space["train.batch_size"] == Choices(choices=(32, 48, 64, 128))
    assert "train.weight_decay" not in space  # a log scale has no zero


def test_settings_of_several_kinds_are_conditional_on_the_kind(tmp_path: Path) -> None:
    space = own(
        tmp_path,
        "extends: base\ndata: {source: builtin, name: wine}\nmodel: {kind: random_forest}\n"
        "search: {space: {auto: true, model.kind: {choices: [random_forest, svm, mlp, knn]}}}\n",
    ).search.space
    assert space["model.gamma"].when == {"model.kind": ("svm",)}
    assert space["train.lr"].when == {"model.kind": ("mlp",)}
    # The study's own forest is as deep as it takes, so that is not searched of forests.
    assert space["model.depth"].when == {"model.kind": ("mlp",)}
    assert "model.vote" in space


@pytest.mark.parametrize(("text", "more"), [("", set()), (", text: b", {"analyzer", "rarest"})])
def test_ngrams_are_searched_for_texts_only(text: str, more: set[str], tmp_path: Path) -> None:
    space = own(
        tmp_path,
        f"extends: base\ndata: {{source: table, path: a.csv, label: a{text}}}\n"
        "model: {kind: linear}\nsearch: {space: auto}\n",
    ).search.space
    longest = {"longest"} if more else set()
    assert space.keys() == {f"model.{name}" for name in {"c", *more, *longest}}


@pytest.mark.parametrize(
    ("tune", "known"),
    [("full", {"model.layer_decay"}), ("lora", {"model.lora.rank", "model.lora.alpha"})],
)
def test_settings_of_other_tuning_methods_are_left_out(tune: str, known: set[str]) -> None:
    config = apply_values(load_study("movie-reviews").trial_config, {"model.tune": tune})
    assert {key for key in auto_space(config, {}) if key.startswith("model.")} == known


def test_conditions_on_a_searched_tuning_method_are_kept() -> None:
    space = auto_space(
        load_study("tweets").trial_config, {"model.tune": {"choices": ["full", "lora"]}}
    )
    assert space["model.lora.rank"]["when"] == {"model.tune": ["lora"]}
    assert space["model.layer_decay"]["when"] == {"model.tune": ["full"]}
    assert "when" not in space["train.lr"]


def test_auto_must_be_a_boolean() -> None:
    with pytest.raises(BadConfig, match=r"search.space.auto: takes true or false"):
        load_study("digits", ["search.space.auto=maybe"])


def test_every_kind_trained_from_scratch_has_a_table() -> None:
    models = get_args(get_args(Model)[0])
    kinds = {get_args(model.model_fields["kind"].annotation)[0]: model for model in models}
    without = {kind: model for kind, model in kinds.items() if kind not in tables()}
    assert without and all("weights" in model.model_fields for model in without.values())
