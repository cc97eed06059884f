"""The champion scored on files: rows, targets and metrics of each; what is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from conf.errors import BadInput
from conf.evaluate import Evaluate
from flows.scoring import lines
from tasks.champion.scoring import score_file

TABLE = {
    "labels": ["no", "yes"],
    "inputs": {"kind": "table", "features": 2, "names": ["a", "b"]},
    "config": {
        "data": {"source": "table", "label": "answer"},
        "evaluate": Evaluate(metrics=("accuracy", "f1_macro")).model_dump(mode="json"),
    },
}
PAIRS = {
    "labels": [],
    "inputs": {"kind": "pairs"},
    "config": {
        "data": {"source": "pairs", "source_column": "en", "target_column": "es"},
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
    metadata = SimpleNamespace(metadata=facts, get_input_schema=lambda: schema)
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
    head, line = lines([found])
    assert head.split() == ["rows", "accuracy", "f1_macro"]
    assert line.startswith(f"{tmp_path / 'rows.csv'}  4     0.7500 (")


def test_pairs_are_scored_by_what_is_written(tmp_path: Path) -> None:
    rows = [{"en": "a cat sat on it", "es": "A CAT SAT ON IT"}, {"en": "no", "es": "x"}]
    pd.DataFrame(rows[:1]).to_json(tmp_path / "r.jsonl", orient="records", lines=True)
    found = score_file(model(PAIRS), tmp_path / "r.jsonl")
    assert {name: each.value for name, each in found.metrics.items()} == {
        "bleu": pytest.approx(100.0)
    }


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        pytest.param("r.csv", "a,b\n1,2\n", "no column 'answer' for the targets", id="no-target"),
        pytest.param("r.csv", "a,b,answer\n1,2,maybe\n", "row 0 has the label 'maybe'", id="label"),
        pytest.param("r.csv", "b,answer\n2,yes\n", "column 'a' is missing", id="no-feature"),
        pytest.param("r.xls", "", "is no .npy", id="kind"),
    ],
)
def test_what_cannot_be_scored(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadInput, match=message):
        score_file(model(TABLE), tmp_path / name)
