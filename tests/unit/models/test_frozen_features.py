"""What a frozen network makes of rows is computed once for all that decides it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conf.runtime.home import Home
from conf.schema.pretrained import Head
from models.pretrained import frozen_features
from tests.cards import as_card


def test_it_is_computed_once_for_the_data_the_part_the_weights_and_what_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, computed = Home.open(tmp_path / "home"), []

    def compute(model: Head, card: Any, part: Path, folder: Path) -> np.ndarray:
        computed.append((card.key, part.name, folder.name, model.tokens, model.pool))
        return np.full((3, 2), len(computed), dtype=np.float32)

    monkeypatch.setattr(frozen_features, "_computed", compute)
    first = home.path / "sources" / "first"
    first.mkdir(parents=True)
    (first / "config.json").write_text("{}")
    shutil.copytree(first, first.with_name("same"))
    shutil.copytree(first, first.with_name("other"))
    (first.with_name("other") / "config.json").write_text('{"a": 1}')

    def asked(key: str = "k", part: str = "train", weights: str = "first", **model: Any) -> Any:
        settings = {"weights": {"source": "local", "path": weights}, **model}
        where = home.data / key / "parts" / part
        return frozen_features.features_of(
            Head.model_validate(settings), as_card({"key": key}), where
        )

    again = [asked(), asked(depth=2, width=8, dropout=0.5), asked(weights="same")]
    assert len(computed) == 1
    assert all(isinstance(each, np.memmap) and (each == 1).all() for each in again)
    for number, changed in enumerate(
        ({"key": "l"}, {"part": "validation"}, {"weights": "other"}, {"tokens": 64},
         {"pool": "first"}), start=2,
    ):  # fmt: skip
        assert (asked(**changed) == number).all(), changed
    assert len(computed) == 6
