from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conf.errors import BadInput
from tasks.champion.predict import read_file
from tests.unit.champion.test_package import IMAGE

TABLE = {"kind": "table", "features": 2, "names": ["a", "b"]}
ROWS = np.arange(128.0).reshape(2, 8, 8)


def test_images_are_read_as_they_are_or_flat(tmp_path: Path) -> None:
    for name, rows in (("deep", ROWS), ("flat", ROWS.reshape(2, 64)), ("bytes", ROWS.astype("u1"))):
        file = tmp_path / f"{name}.npy"
        np.save(file, rows)
        assert np.array_equal(read_file(file, IMAGE, (8, 8)), ROWS)


def test_a_table_is_read_by_the_names_of_its_columns(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("label,b,a\nx,2,1\ny,4,3\n")
    assert read_file(file, TABLE, (2,)).tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize(
    ("name", "text", "inputs", "message"),
    [
        pytest.param("gone.npy", None, IMAGE, "cannot be read", id="no file"),
        pytest.param("bad.npy", "no array", IMAGE, "cannot be read", id="no array"),
        pytest.param("rows.csv", "a\n1\n", TABLE, "column 'b' is missing", id="no column"),
        pytest.param("rows.csv", "a,b\n", TABLE, "no rows", id="empty"),
        pytest.param("rows.csv", "a,b\n1,x\n", TABLE, "cannot be read", id="no number"),
    ],
)
def test_what_cannot_be_read(
    tmp_path: Path, name: str, text: str | None, inputs: dict[str, Any], message: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(BadInput, match=message):
        read_file(tmp_path / name, inputs, (2,))


def test_rows_of_another_size_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", ROWS[:, :7])
    with pytest.raises(BadInput, match=r"takes \(8, 8\)"):
        read_file(tmp_path / "rows.npy", IMAGE, (8, 8))
