"""One reader for all containers: the same rows say the same, whatever file they are in."""

from __future__ import annotations

import bz2
import gzip
import itertools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from conf.runtime.errors import BadInput
from data.encoding.table_encoder import encode
from data.sources.column_values import as_floats, as_texts
from data.sources.table_file import TableFile, TableFormat

ROWS = 40
FRAME = pd.DataFrame(
    {
        "whole": np.arange(ROWS),
        "real": np.linspace(-1, 1, ROWS) / 3,
        "flag": np.arange(ROWS) % 3 == 0,
        "zip": [f"{row % 9:05d}" for row in range(ROWS)],
        "word": np.array(["NA", "none", "null", "x"])[np.arange(ROWS) % 4],
        "day": pd.date_range("2024-02-27", periods=ROWS, freq="D"),
        "stamp": pd.date_range("2024-02-27 01:30", periods=ROWS, freq="5h"),
    }
)
FRAME["gap"] = [None if row % 5 == 0 else float(row) for row in range(ROWS)]
KINDS = {
    "whole": "number", "real": "number", "flag": "boolean", "zip": "text", "word": "text",
    "day": "datetime", "stamp": "datetime", "gap": "number",
}  # fmt: skip


def _jsonl(path: Path) -> None:
    rows = json.loads(FRAME.to_json(orient="records", date_format="iso"))
    exact = [{**row, "real": real} for row, real in zip(rows, FRAME["real"], strict=True)]
    path.write_text("\n".join(map(json.dumps, exact)))


WRITERS: Mapping[str, Callable[[Path], Any]] = {
    "csv": lambda path: FRAME.to_csv(path, index=False),
    "tsv": lambda path: FRAME.to_csv(path, index=False, sep="\t"),
    "tab": lambda path: FRAME.to_csv(path, index=False, sep="\t"),
    "csv.gz": lambda path: FRAME.to_csv(path, index=False),
    "csv.bz2": lambda path: FRAME.to_csv(path, index=False),
    "csv.xz": lambda path: FRAME.to_csv(path, index=False),
    "jsonl": _jsonl,
    "parquet": lambda path: FRAME.to_parquet(path),
    "xlsx": lambda path: FRAME.to_excel(path, index=False),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TableFile]:
    """The same rows in every container."""
    folder = tmp_path_factory.mktemp("files")
    for suffix, write in WRITERS.items():
        write(folder / f"t.{suffix}")
    return {suffix: TableFile(folder / f"t.{suffix}") for suffix in WRITERS}


@pytest.mark.parametrize("suffix", WRITERS)
def test_columns_are_of_the_same_kinds(files: dict[str, TableFile], suffix: str) -> None:
    assert dict(files[suffix].kinds) == KINDS


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(WRITERS, 2)))
def test_values_are_the_same(files: dict[str, TableFile], one: str, other: str) -> None:
    for name, kind in KINDS.items():
        columns = [files[each].table([name]).column(0).combine_chunks() for each in (one, other)]
        if kind in ("text", "boolean"):
            texts = [as_texts(column).to_pylist() for column in columns]
            assert [text.lower() for text in texts[0]] == [text.lower() for text in texts[1]]
        else:
            first, second = (as_floats(column, {"name": name, "kind": kind}) for column in columns)
            np.testing.assert_allclose(first, second, rtol=1e-14)


@pytest.mark.parametrize(("one", "other"), list(itertools.permutations(WRITERS, 2)))
def test_a_model_of_one_container_reads_another_the_same(
    files: dict[str, TableFile], one: str, other: str
) -> None:
    """Levels are fitted on one container's written forms and found in the other's."""
    frames = [files[each].table(list(KINDS)).to_pandas() for each in (one, other)]
    texts = {name: as_texts(files[one].table([name]).column(0).combine_chunks()) for name in KINDS}
    specs: list[dict[str, Any]] = []
    for name, kind in KINDS.items():
        if kind in ("text", "boolean"):
            levels = sorted(set(texts[name].to_pylist()))
            specs.append({"name": name, "kind": "category", "levels": levels})
        else:
            specs.append({"name": name, "kind": kind, "start": 0.0, "hours": True})
    first, second = (encode(frame, specs) for frame in frames)
    np.testing.assert_allclose(first, second, rtol=1e-12, atol=1e-12)


def test_only_declared_markers_are_missing(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('a,b\nNA,1\n,""\nnan,-\n')
    plain = TableFile(tmp_path / "t.csv")
    assert dict(plain.kinds) == {"a": "text", "b": "text"}
    assert plain.table().to_pydict() == {"a": ["NA", None, "nan"], "b": ["1", None, "-"]}
    declared = TableFile(tmp_path / "t.csv", TableFormat(missing=("-",)))
    assert dict(declared.kinds) == {"a": "text", "b": "number"}


def test_json_lines_have_the_union_of_all_keys(tmp_path: Path) -> None:
    records = [{"user": {"age": 1, "at": {"x": True}}, "n": 0}] * 5_000 + [{"late": "v", "n": 1.5}]
    lines = "\ufeff" + "\n".join(map(json.dumps, records))
    (tmp_path / "t.jsonl").write_text(lines)
    file = TableFile(tmp_path / "t.jsonl")
    assert dict(file.kinds) == {
        "user.age": "number", "user.at.x": "boolean", "n": "number", "late": "text",
    }  # fmt: skip
    table = file.table()
    assert table.num_rows == 5_001 and table.column("n").to_pylist()[-2:] == [0.0, 1.5]
    assert table.column("late").to_pylist()[-2:] == [None, "v"]


def test_columns_of_several_types_are_text_in_their_written_form(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"a": 1}\n{"a": "x"}\n{"a": false}\n{"a": 2.0}\n')
    file = TableFile(tmp_path / "t.jsonl")
    assert dict(file.kinds) == {"a": "text"}
    assert as_texts(file.table().column(0).combine_chunks()).to_pylist() == ["1", "x", "false", "2"]


def test_numbers_and_dates_in_a_declared_format(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a;b\n1.234,50 €;31.12.2024\n-3 %;01.02.2025\n")
    layout = TableFormat(
        separator=";", numbers={"decimal": ",", "thousands": ".", "units": ["€", "%"]},
        dates="%d.%m.%Y",
    )  # fmt: skip
    file = TableFile(tmp_path / "t.csv", layout)
    assert dict(file.kinds) == {"a": "number", "b": "datetime"}


def test_what_looks_like_a_number_late_in_the_file_is_seen(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a\n" + "1\n" * 200_000 + "oops\n")
    assert dict(TableFile(tmp_path / "t.csv").kinds) == {"a": "text"}


@pytest.mark.parametrize("name", ["t.doc", "t.parquet.gz", "t.gz"])
def test_other_files_are_refused_with_what_can_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match=r"a table is \.csv, \.tsv.*\.xlsx"):
        TableFile(tmp_path / name)


@pytest.mark.parametrize("packed", ["gz", "bz2"])
def test_a_damaged_archive_is_one_sentence(tmp_path: Path, packed: str) -> None:
    pack = {"gz": gzip.compress, "bz2": bz2.compress}[packed]
    whole = pack(b"a,b\n" + b"1,2\n" * 5_000)
    (tmp_path / f"t.csv.{packed}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match="cannot be read as a table"):
        _ = TableFile(tmp_path / f"t.csv.{packed}").kinds
