"""The champion scored on files: rows, targets and metrics of each; what is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.evaluate import Evaluate
from tasks.registry.aliases import parse_model
from tasks.registry.promote import meant
from tasks.scoring.score_files import score_file, score_table
from tests.cards import as_inputs

TABLE = {
    "labels": ["no", "yes"],
    "inputs": {"kind": "table", "features": 2, "names": ["a", "b"]},
    "config": {
        "data": {"source": "table", "task": "classification", "label": "answer"},
        "evaluate": Evaluate(metrics=("accuracy", "f1_macro")).model_dump(mode="json"),
    },
}
PAIRS = {
    "labels": [],
    "inputs": {"kind": "pairs"},
    "config": {
        "data": {
            "source": "pairs",
            "task": "translation",
            "source_column": "en",
            "target_column": "es",
        },
        "evaluate": Evaluate(objective="bleu", metrics=("bleu", "perplexity")).model_dump(
            mode="json"
        ),
    },
}


def model(facts: dict[str, Any]) -> Any:
    """Says yes where a is more than b; writes in capitals."""

    def predict(rows: Any) -> pd.DataFrame:
        if facts is PAIRS:
            return pd.DataFrame({"text": [text.upper() for text in rows]})
        yes = (np.asarray(rows)[:, 0] > np.asarray(rows)[:, 1]).astype(float)
        return pd.DataFrame({"label": "-", "p_no": 1 - yes, "p_yes": yes})

    schema = SimpleNamespace(inputs=[SimpleNamespace(shape=(-1, 2))])
    metadata = SimpleNamespace(
        metadata={**facts, "inputs": as_inputs(facts["inputs"]).as_json()},
        get_input_schema=lambda: schema,
    )
    return SimpleNamespace(metadata=metadata, predict=predict)


def test_a_table_is_scored_by_its_label_column(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"answer": ["yes", "no", "no", "yes"], "b": [0, 1, 0, 1], "a": [1, 0, 1, 2]}
    )
    frame.to_csv(tmp_path / "rows.csv", index=False)
    found = score_file(model(TABLE), tmp_path / "rows.csv")
    assert found.rows == 4
    assert found.metrics["accuracy"].value == 0.75
    assert found.metrics["accuracy"].low <= 0.75 <= found.metrics["accuracy"].high
    head, line = score_table([found])
    assert head.split() == ["rows", "accuracy", "f1_macro"]
    assert line.startswith(f"{tmp_path / 'rows.csv'}  4     0.7500 (")


def test_pairs_are_scored_by_what_is_written(tmp_path: Path) -> None:
    rows = [{"en": "a cat sat on it", "es": "A CAT SAT ON IT"}, {"en": "no", "es": "x"}]
    pd.DataFrame(rows[:1]).to_json(tmp_path / "r.jsonl", orient="records", lines=True)
    found = score_file(model(PAIRS), tmp_path / "r.jsonl")
    assert {name: each.value for name, each in found.metrics.items()} == {
        "bleu": pytest.approx(100.0)
    }


def test_other_metrics_than_the_studys(tmp_path: Path) -> None:
    pd.DataFrame({"en": ["a cat"], "es": ["A CAT"]}).to_json(
        tmp_path / "r.jsonl", orient="records", lines=True
    )
    found = score_file(model(PAIRS), tmp_path / "r.jsonl", ["rougeL", "exact_match"])
    assert {name: each.value for name, each in found.metrics.items()} == {
        "rougeL": 1.0,
        "exact_match": 1.0,
    }
    with pytest.raises(BadInput, match="--metric perplexity: a model for translation is scored by"):
        score_file(model(PAIRS), tmp_path / "r.jsonl", ["perplexity"])


class Registry:
    """Three versions of `digits`, of which two have an alias."""

    aliases: ClassVar = {"champion": "1", "small": "3"}

    def get_model_version_by_alias(self, model: str, alias: str) -> Any:
        from mlflow.exceptions import MlflowException

        if model != "digits" or alias not in self.aliases:
            raise MlflowException("gone", error_code=INVALID_PARAMETER_VALUE)
        return SimpleNamespace(name=model, version=self.aliases[alias])

    def get_model_version(self, model: str, version: str) -> Any:
        from mlflow.exceptions import MlflowException

        if model != "digits" or version not in ("1", "2", "3"):
            raise MlflowException("gone", error_code=INVALID_PARAMETER_VALUE)
        return SimpleNamespace(name=model, version=version)

    def search_model_versions(self, asked: str) -> list[Any]:
        return [SimpleNamespace(version=n) for n in (1, 2, 3) if "'digits'" in asked]

    def get_registered_model(self, model: str) -> Any:
        return SimpleNamespace(aliases=self.aliases)

    def search_registered_models(self, max_results: int) -> list[Any]:
        return [SimpleNamespace(name="digits")]


@pytest.mark.parametrize(
    ("name", "version"), [("digits", "1"), ("digits@small", "3"), ("digits@2", "2")]
)
def test_a_version_is_meant_by_its_alias_or_its_number(
    tmp_path: Path, name: str, version: str
) -> None:
    model, which = parse_model(Home.open(tmp_path), name)
    client: Any = Registry()
    assert meant(client, model, which).version == version


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("digits/3", "digits/3 is a trial.*digits@2 a version"),
        ("digits@smal", "alias 'smal'; its aliases are champion, small, its versions 1, 2, 3"),
        ("digits@7", "has no version 7; it has 1, 2, 3"),
        ("numbers@small", "no registered model 'numbers'; registered are: digits"),
    ],
    ids=["trial", "alias", "version", "model"],
)  # fmt: skip
def test_who_is_not_there_is_said_with_those_who_are(
    tmp_path: Path, name: str, sentence: str
) -> None:
    client: Any = Registry()
    with pytest.raises(BadInput, match=sentence):
        meant(client, *parse_model(Home.open(tmp_path), name))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        pytest.param("r.csv", "a,b\n1,2\n", "no column 'answer' for the targets", id="no-target"),
        pytest.param("r.csv", "a,b,answer\n1,2,maybe\n", "row 0 has the label 'maybe'", id="label"),
        pytest.param("r.csv", "b,answer\n2,yes\n", "column 'a' is missing", id="no-feature"),
        pytest.param("r.doc", "", "is not a .npy", id="kind"),
    ],
)
def test_what_cannot_be_scored(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadInput, match=message):
        score_file(model(TABLE), tmp_path / name)
