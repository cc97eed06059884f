"""The plan that `dense check` prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from conf.loading.load import load_study
from conf.loading.plan import plan, plan_text
from conf.runtime.home import Home
from conf.schema.base import Section
from conf.schema.data import Band, BuiltinData, CategoricalColumns, TableData
from conf.schema.model import Cnn
from conf.schema.pretrained import LocalWeights, Lora, Transformer
from conf.schema.seq2seq import Causal
from conf.schema.split import Grouped


def test_the_plan_lists_settings_and_written_paths() -> None:
    study = load_study("digits", ["stop.target=0.99", "search.batch_size=3"])
    text = plan_text(study, Home(Path("/somewhere"), "id"))
    says = ["16 trials", "12 epochs", "batch size 3", "accuracy 0.99", "6 settings",
            "0.0001 to 0.1, log scale", "(trial 0: 0.001)", "/somewhere/trials/digits"]  # fmt: skip
    for part in says:
        assert part in text


def test_the_plan_lists_objectives_constraints_and_stopping_criteria() -> None:
    overrides = [
        "evaluate.objective=[accuracy, latency_ms]",
        "evaluate.constraints=[params <= 5000]",
        "search.cost_aware=true",
        "search.learn_from=[wine]",
        "stop={gpu_hours: 3, money: 7, cost_per_gpu_hour: 2}",
    ]
    text = plan_text(load_study("digits", overrides))
    says = [
        "latency_ms, to minimize",
        "keeping params <= 5000",
        "improvement per expected second",
        "learns from wine",
        "after 3 GPU-hours",
        "once 7 is spent, at 2 a GPU-hour",
    ]
    for part in says:
        assert part in text
    regret = plan_text(load_study("digits", ["stop.regret=0.01"]))
    assert "less than 0.01 is left to gain" in regret


def test_a_finite_space_is_counted() -> None:
    keys = [key for key in load_study("digits").search.space if key != "train.batch_size"]
    study = load_study("digits", [f"search.space.{key}=null" for key in keys])
    assert ("space", "1 setting, at most 3 configurations") in plan(study)


TABLE = {"path": "texts.csv", "label": "topic", "text": "text"}


@pytest.mark.parametrize(
    ("section", "says"),
    [
        (BuiltinData(), "builtin, name digits"),
        (TableData(**TABLE), "table, path texts.csv, label topic, text text"),
        (
            TableData(**TABLE, bands=(Band(name="few", high=2),), words=CategoricalColumns(rare=2)),
            'table, path texts.csv, label topic, text text, words.rare 2, bands [{"name": "few", '
            '"low": null, "high": 2.0}]',
        ),
        (Grouped(test=0.1), "group, test 0.1"),
        (Cnn(width=48), "cnn, width 48"),
        (Transformer(), "transformer, weights minilm"),
        (
            Transformer(tune="lora", lora=Lora(rank=4), weights=LocalWeights(path="mine")),
            "transformer, weights mine, tune lora, lora.rank 4",
        ),
        (
            Causal(prompt="Translate this.\n\n  {source}\n" + "A" * 80),
            f"causal, weights minilm, prompt Translate this. {{source}} {'A' * 35}…",
        ),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_a_section_is_shown_as_its_kind_and_the_changed_settings(
    section: Section, says: str
) -> None:
    name = type(section).__module__.rpartition(".")[2]
    name = name if name in ("data", "split") else "model"
    assert (name, says) in plan(load_study("digits").model_copy(update={name: section}))


def test_the_budget_lists_the_rungs() -> None:
    on = ["search.rungs={first: 1, factor: 3}"]
    assert "; rungs: of 3 one goes on after epoch 1, 3, 9" in plan_text(load_study("digits", on))
    assert "rungs" not in plan_text(load_study("digits"))
    assert "3, 9, 2 brackets" in plan_text(load_study("digits", [*on, "search.rungs.brackets=2"]))
