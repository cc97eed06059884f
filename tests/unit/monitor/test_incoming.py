from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from conf.runtime.errors import BadInput, Held
from conf.runtime.home import Home
from tasks.monitor.incoming import Seen, arrived, read_rows
from tests.cards import as_inputs

IMAGES = {"kind": "image", "height": 8, "width": 8, "channels": 1, "low": 0, "high": 16}
TABLE = {"kind": "table", "features": 2, "names": ["a", "b"], "fill": None}
TEXTS = {"kind": "text"}


def model(inputs: dict[str, Any], shape: tuple[int, ...] = (), **data: Any) -> Any:
    """As much of a loaded model as reading asks of it."""
    facts = {
        "inputs": as_inputs(inputs).as_json(),
        "labels": ["yes", "no"],
        "config": {"data": data},
    }
    schema = SimpleNamespace(inputs=[SimpleNamespace(shape=(-1, *shape))])
    metadata = SimpleNamespace(metadata=facts, get_input_schema=lambda: schema)
    return SimpleNamespace(metadata=metadata)


def draw(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8), 255, dtype="uint8")).save(path)


def test_a_file_is_new_until_it_is_seen_and_again_when_it_changes(
    home: Home, tmp_path: Path
) -> None:
    tmp_path = tmp_path / "drop"
    tmp_path.mkdir()
    seen = Seen(home, "digits", tmp_path)
    (tmp_path / "a.csv").write_text("a\n1\n")
    (tmp_path / ".b.csv.x1").write_text("half")
    (tmp_path / "c.csv.part").write_text("half")
    first = arrived(tmp_path, seen.stamps())
    assert set(first) == {"a.csv"}
    seen.add(first)
    assert arrived(tmp_path, seen.stamps()) == {}
    (tmp_path / "d.csv").write_text("a\n1\n")
    assert set(arrived(tmp_path, Seen(home, "digits", tmp_path).stamps())) == {"d.csv"}
    (tmp_path / "a.csv").write_text("a\n1\n2\n")
    assert set(arrived(tmp_path, seen.stamps())) == {"a.csv", "d.csv"}
    assert set(arrived(tmp_path / "a.csv", {})) == {""}


@pytest.mark.parametrize(
    ("name", "says"),
    [pytest.param("nowhere", "there is no", id="gone"), pytest.param(".", "is empty", id="empty")],
)
def test_no_rows_at_all(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / ".hidden").mkdir()
    with pytest.raises(BadInput, match=says):
        arrived(tmp_path / name, {})


def test_a_second_run_on_the_same_place_is_refused(home: Home, tmp_path: Path) -> None:
    with Seen(home, "digits", tmp_path).held():
        with (
            pytest.raises(Held, match="another process monitors"),
            Seen(home, "digits", tmp_path).held(),
        ):
            pass
        with Seen(home, "others", tmp_path).held():
            pass


def test_tables_bring_their_targets_where_they_have_any(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b,label\n1,2,yes\n3,4,\n")
    (tmp_path / "b.jsonl").write_text('{"a": 5, "b": 6}\n')
    rows = read_rows(model(TABLE, (2,), label="label"), tmp_path, ["a.csv", "b.jsonl"])
    assert rows.values.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert rows.targets == ("yes", None, None) and len(rows) == 3


def test_words_of_several_files_are_one_frame_and_no_label_is_known(tmp_path: Path) -> None:
    words = {**TABLE, "names": ["a", "city=Lyon"], "levels": {"city": ["Lyon"]}}
    (tmp_path / "one.csv").write_text("city;a;about\nLyon;1;x|y\n;2;\n")
    (tmp_path / "two.csv").write_text("city;a;about\nRome;3;y\n")
    study = {"task": "multilabel", "label": "about", "separator": ";"}
    rows = read_rows(model(words, **study), tmp_path, ["one.csv", "two.csv"])
    assert rows.values["a"].tolist() == ["1", "2", "3"] and rows.values["city"].isna().sum() == 1
    assert rows.targets == ("x|y", "", "y")


def test_texts_of_several_files_are_one_list(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    (tmp_path / "b.csv").write_text("text,label\nthree,no\n")
    rows = read_rows(model(TEXTS, text="text", label="label"), tmp_path, ["a.txt", "b.csv"])
    assert rows.values == ["one", "two", "three"] and rows.targets == (None, None, "no")


def test_images_have_the_class_of_their_folder_where_folders_are_classes(tmp_path: Path) -> None:
    for name in ("yes/1.png", "no/2.png", "monday/3.png", "4.png"):
        draw(tmp_path / name)
    images = model(IMAGES, (8, 8))
    rows = read_rows(images, tmp_path, ["yes/1.png", "no/2.png", "4.png"])
    assert rows.values.shape == (3, 8, 8) and rows.values.max() == 16
    assert rows.targets == ("yes", "no", None)
    assert read_rows(images, tmp_path, ["monday/3.png"]).targets == (None,)
    with pytest.raises(BadInput, match="monday: the folder is none of the model's classes"):
        read_rows(images, tmp_path, ["monday/3.png", "yes/1.png"])


@pytest.mark.parametrize(
    ("inputs", "shape", "file", "content", "says"),
    [
        pytest.param(TABLE, (2,), "x.csv", "a,c\n1,2\n", "column 'b' is missing", id="columns"),
        pytest.param(TABLE, (2,), "x.csv", "a,b\n1,x\n", "x.csv cannot be read", id="no number"),
        pytest.param(IMAGES, (8, 8), "x.csv", "a,b\n1,2\n", r"shape \(2,\)", id="shape"),
        pytest.param(TEXTS, (), "x.csv", "a,b\n1,2\n", "no column 'text'", id="texts"),
        pytest.param(IMAGES, (8, 8), "x.png", "no image", "x.png cannot be read", id="image"),
        pytest.param(TABLE, (2,), "x.doc", "?", "x.doc is no", id="kind of file"),
    ],
)
def test_rows_of_another_schema_are_named(
    tmp_path: Path,
    inputs: dict[str, Any],
    shape: tuple[int, ...],
    file: str,
    content: str,
    says: str,
) -> None:
    (tmp_path / file).write_text(content)
    with pytest.raises(BadInput, match=says):
        read_rows(model(inputs, shape), tmp_path, [file])
