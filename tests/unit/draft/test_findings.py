"""`dense new` tries cleaning rules and looks for leaks before it drafts a study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conf.loading.load import load_study
from conf.schema.study import Study
from flows.cli.new import new_study

random = np.random.default_rng(0)
WORDS = ("river", "stone", "cloud", "apple", "table", "window", "garden", "music", "paper")


def drafted(here: Path, lines: list[str], target: str | None = None) -> Study:
    file = here / "data" / "t.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    new_study("mine", file, target)
    return load_study("mine")


def table(**columns: list[object]) -> list[str]:
    rows = zip(*columns.values(), strict=True)
    return [",".join(columns), *(",".join(map(str, row)) for row in rows)]


def noisy(rows: int = 200) -> tuple[list[object], list[object], list[object]]:
    """Two columns of numbers, and a label that they tell with some noise."""
    a, b = random.normal(size=rows), random.normal(size=rows)
    label = np.where(a + b + random.normal(size=rows) > 0, "yes", "no")
    return list(a.round(3)), list(b.round(3)), list(label)


def test_a_column_that_gives_the_target_is_called_a_leak(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b, label = noisy()
    paid = [round(float(x == "yes") + random.uniform(0, 0.4), 3) for x in label]
    drafted(here, table(a=a, b=b, paid=paid, label=label))
    out = capsys.readouterr().out
    assert "leak? 'paid' alone predicts the target" in out and "leak? 'a'" not in out


def test_the_order_of_the_rows_is_called_a_leak(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b, label = noisy()
    order = sorted(range(len(label)), key=lambda row: str(label[row]))
    sides = {"a": a, "b": b, "label": label}
    drafted(here, table(**{name: [side[row] for row in order] for name, side in sides.items()}))
    assert "leak? the order of the rows nearly gives the target" in capsys.readouterr().out


def test_clean_data_turns_nothing_on(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b, label = noisy()
    study = drafted(here, table(a=a, b=b, label=label))
    assert study.clean.near is None and study.clean.privacy is None
    assert "leak?" not in capsys.readouterr().out


def test_near_duplicates_and_personal_data_of_texts_are_treated(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [" ".join(random.choice(WORDS, 12)) for _ in range(120)]
    texts[1] = texts[0] + "."
    texts[2] += " write to jane.doe@example.org"
    labels = ["up" if "river" in text.split()[:3] else "down" for text in texts]
    study = drafted(here, ["text,label", *map(",".join, zip(texts, labels, strict=True))])
    assert study.clean.near is not None
    assert study.clean.privacy is not None and study.clean.privacy.mask == ("email",)
    out = capsys.readouterr().out
    assert "nearly repeat an earlier one" in out and "(1 email) is masked" in out


def test_texts_that_hold_their_class_are_called_a_leak(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("sport" if n % 2 else "politics") for n in range(80)]
    texts = [f"{' '.join(random.choice(WORDS, 9))} filed under {label}" for label in rows]
    drafted(here, ["text,label", *map(",".join, zip(texts, rows, strict=True))])
    assert "100% of the texts of class 'sport' hold its name" in capsys.readouterr().out


def test_wrong_labels_are_reported(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = [
        round(float(x), 3)
        for x in np.concatenate([random.normal(-3, 1, 150), random.normal(3, 1, 150)])
    ]
    label = ["low"] * 150 + ["high"] * 150
    order = random.permutation(300)
    for row in (3, 40, 90, 130, 160, 200, 250, 299):
        label[row] = "high" if label[row] == "low" else "low"
    b = [round(float(x), 3) for x in random.normal(size=300)]
    sides = {"a": a, "b": b, "label": label}
    study = drafted(
        here, table(**{name: [side[row] for row in order] for name, side in sides.items()})
    )
    assert study.clean.suspects is not None and study.clean.suspects.action == "report"
    assert "labels of 300 rows look wrong" in capsys.readouterr().out
