from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from conf.runtime.errors import BadInput
from tasks.scoring.read_files import read_file, read_texts
from tests.cards import as_inputs
from tests.unit.packaging.test_package import IMAGE

TABLE: Any = as_inputs({"kind": "table", "names": ["a", "b"]})
ROWS = np.arange(128.0).reshape(2, 8, 8)


def test_images_are_read_as_they_are_or_flat(tmp_path: Path) -> None:
    for name, rows in (("deep", ROWS), ("flat", ROWS.reshape(2, 64)), ("bytes", ROWS.astype("u1"))):
        file = tmp_path / f"{name}.npy"
        np.save(file, rows)
        assert np.array_equal(read_file(file, IMAGE, (8, 8)).values, ROWS)


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_a_table_is_read_by_the_names_of_its_columns(tmp_path: Path, kind: str) -> None:
    frame = pd.DataFrame({"label": ["x", "y"], "b": [2, 4], "a": [1, 3]})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame.to_parquet(tmp_path / "rows.parquet")
    frame.to_json(tmp_path / "rows.jsonl", orient="records", lines=True)
    file = tmp_path / f"rows.{kind}"
    assert read_file(file, TABLE, (2,)).values.tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize(
    ("name", "text", "inputs", "message"),
    [
        pytest.param("gone.npy", None, IMAGE, "cannot be read", id="no file"),
        pytest.param("bad.npy", "no array", IMAGE, "cannot be read", id="no array"),
        pytest.param("rows.csv", "a\n1\n", TABLE, "column 'b' is missing", id="no column"),
        pytest.param("rows.csv", "a,b\n", TABLE, "no rows", id="empty"),
        pytest.param("rows.csv", "a,b\n1,x\n", TABLE, "cannot be read", id="no number"),
        pytest.param("rows.jsonl", '{"a": 1}\n', TABLE, "column 'b' is missing", id="no key"),
        pytest.param("rows.jsonl", "[1, 2\n", TABLE, "cannot be read", id="no json"),
        pytest.param("rows.jsonl", "[1]\n[1, 2]\n", TABLE, "cannot be read", id="ragged"),
        pytest.param("rows.txt", "1 2", TABLE, "is not a .npy", id="unknown kind"),
        pytest.param("one.png", "no image", IMAGE, "unreadable", id="no image"),
        pytest.param("one.png", "", TABLE, "takes rows of kind table", id="an image for a table"),
    ],
)
def test_what_cannot_be_read(
    tmp_path: Path, name: str, text: str | None, inputs: Any, message: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(BadInput, match=message):
        read_file(tmp_path / name, inputs, (2,))


def test_rows_of_another_size_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", ROWS[:, :7])
    with pytest.raises(BadInput, match=r"takes \(8, 8\)"):
        read_file(tmp_path / "rows.npy", IMAGE, (8, 8))


def test_an_array_a_line_is_read(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(f"{json.dumps(row.tolist())}\n" for row in ROWS))
    assert np.array_equal(read_file(file, IMAGE, (8, 8)).values, ROWS)


def test_images_fill_the_models_own_range(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8), np.uint8)
    pixels[2] = 255
    (tmp_path / "in").mkdir()
    for name in ("b.png", "in/a.png"):
        Image.fromarray(pixels).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    inputs = IMAGE
    one = read_file(tmp_path / "b.png", inputs, (8, 8))
    assert one.names == () and np.array_equal(one.values[0], pixels / 255 * 16)
    (tmp_path / ".trash").mkdir()
    (tmp_path / ".trash" / "c.png").write_bytes((tmp_path / "b.png").read_bytes())
    both = read_file(tmp_path, inputs, (8, 8))
    assert both.names == ("b.png", "in/a.png") and both.values.shape == (2, 8, 8)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has no images"):
        read_file(tmp_path, IMAGE, (8, 8))


TEXTS = ["a film\u2028to see", "no, thanks"]


@pytest.mark.parametrize("name", ["rows.txt", "rows.jsonl", "lines.jsonl", "rows.csv", "one.csv"])
def test_texts_are_read_from_whatever_holds_them(tmp_path: Path, name: str) -> None:
    texts = [text.replace("\u2028", " ") for text in TEXTS] if name == "rows.txt" else TEXTS
    frame = pd.DataFrame({"id": [1, 2], "review": texts})
    (tmp_path / "rows.txt").write_text("".join(f"{text}\n" for text in texts))
    frame.to_json(tmp_path / "rows.jsonl", orient="records", lines=True)
    (tmp_path / "lines.jsonl").write_text(
        "\n".join(json.dumps(t, ensure_ascii=False) for t in texts)
    )
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame[["review"]].to_csv(tmp_path / "one.csv", index=False)
    assert read_texts(tmp_path / name, "review") == texts


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("rows.csv", "a,b\nx,y\n", "no column 'text'; it has a, b", id="which one"),
        pytest.param("rows.txt", "", "no rows", id="empty"),
        pytest.param("rows.npy", "x", "convert it to one of them", id="no file of texts"),
        pytest.param("rows.jsonl", "{", "cannot be read as JSON lines", id="no json"),
    ],
)
def test_what_holds_no_texts(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(BadInput, match=message):
        read_texts(tmp_path / name, "review")


def test_texts_are_read_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("id,text\n1,NA\n2,\n3,007\n")
    assert read_texts(tmp_path / "rows.csv", "text") == ["NA", None, "007"]


@pytest.mark.parametrize(
    ("name", "settings"),
    [("rows.csv", {"separator": ";", "encoding": "latin-1"}), ("rows.tsv", {})],
    ids=["separator", "tabs"],
)
def test_a_table_is_read_with_the_studys_own_separator_and_encoding(
    name: str, settings: dict[str, str], tmp_path: Path
) -> None:
    file, between = tmp_path / name, settings.get("separator", "\t")
    lines = [["größe", "text", "b"], ["1.5", "süß", "2"], ["3", "a, b", "4"]]
    content = "\n".join(between.join(line) for line in lines)
    file.write_text(content, encoding=settings.get("encoding", "utf-8"))
    inputs: Any = as_inputs({"kind": "table", "names": ["größe", "b"]})
    assert read_file(file, inputs, (2,), settings).values.tolist() == [[1.5, 2.0], [3.0, 4.0]]
    assert read_texts(file, "text", settings) == ["süß", "a, b"]
