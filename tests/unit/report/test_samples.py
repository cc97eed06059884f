"""What the page shows of the rows, for each kind of data."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from conf.runtime.home import Home
from conf.schema.study import Study
from data.loading.split_reader import PreparedSplit
from tasks.prepare import prepare
from tasks.report.samples import drawn


def samples(home: Home, **given: Any) -> dict[str, Any]:
    """What the drawing process answers for a study."""
    study = Study.model_validate({"name": "s", **given})
    prepared = prepare(study, home)
    config = study.trial_config.model_dump(mode="json")
    ids = PreparedSplit([prepared.validation]).ids[:2].tolist()
    found = drawn(
        {
            "config": config,
            "card": prepared.card.as_json(),
            "train": str(prepared.train),
            "seed": 1,
            "validation": str(prepared.validation),
            "ids": [*ids, -1],
        }
    )
    assert list(found["examples"]) == ids
    return found


@pytest.mark.parametrize(
    ("augment", "augmented", "blended"),
    [({}, False, False), ({"jitter": {}}, True, False), ({"preset": "medium"}, True, True)],
    ids=["plain", "noise", "preset"],
)
def test_of_a_table(home: Home, augment: dict, augmented: bool, blended: bool) -> None:
    found = samples(home, data={"source": "builtin", "name": "wine"}, augment=augment)
    assert (found["augmented"], found["blended"]) == (augmented, blended)
    assert {len(one) for one in found["numbers"]} == {4 if augmented else 1}
    assert all(text.startswith("alcohol 1") for text in found["examples"].values())


def test_of_images(home: Home) -> None:
    found = samples(home, augment={"rotate": {}})
    assert found["augmented"]
    for picture in (found["png"], *found["examples"].values()):
        assert base64.b64decode(picture).startswith(b"\x89PNG")


def test_of_texts(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENSE_DATA", str(tmp_path))
    lines = ["label,text", *(f"{n % 2},some words of row {n}" for n in range(30))]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    data = {"source": "table", "path": "t.csv", "label": "label", "text": "text"}
    found = samples(home, data=data, augment={"preset": "light"})
    assert found["augmented"] and [len(one) for one in found["texts"]] == [4] * 6
    assert all(text.startswith("some words of row") for text in found["examples"].values())
