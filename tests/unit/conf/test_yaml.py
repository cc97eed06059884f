"""YAML 1.2, safe and bounded."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.loading.yaml import MAX_BYTES, parse_yaml, read_yaml
from conf.runtime.errors import BadConfig


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1.", 1.0),
        (".5", 0.5),
        ("-3", -3),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("on", "on"),
        ("no", "no"),
        ("True", True),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ("!!str 3", "3"),
        ("! 3", "3"),
        ("2020-01-01", "2020-01-01"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("[a, 'b', 1]", ["a", "b", 1]),
        ("{a: {b: é}}", {"a": {"b": "é"}}),
        ("-.inf", -math.inf),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: object) -> None:
    found = parse_yaml(text, "test").value
    assert found == value
    assert type(found) is type(value)


def test_an_old_version_directive_changes_no_meaning() -> None:
    assert parse_yaml("%YAML 1.1\n---\na: on\n", "test").value == {"a": "on"}


def test_lines_are_known_by_path() -> None:
    document = parse_yaml("a:\n  b: 1\n  c:\n  - x\n  - y: 2\n", "test")
    assert document.lines == {
        ("a",): 1,
        ("a", "b"): 2,
        ("a", "c"): 3,
        ("a", "c", 0): 4,
        ("a", "c", 1): 5,
        ("a", "c", 1, "y"): 5,
    }


def test_an_alias_stands_for_its_anchor() -> None:
    assert parse_yaml("a: &x [1, 2]\nb: *x\n", "test").value == {"a": [1, 2], "b": [1, 2]}


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "duplicated, first in line 1"),
        ("a:\n\tb: 1\n", 2, "spaces, not tabs"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a: !!python/object/apply:os.system [x]\n", 1, "tag"),
        ("a: !!binary aGk=\n", 1, "tag"),
        ("a: !!set {x}\n", 1, "tag"),
        ("1: x\n", 1, "not a string"),
        ("? [x]\n: 1\n", 1, "not a string"),
        ("a: &x {b: 1}\nc: {<<: *x}\n", 2, "extends"),
        ('a: "\\ud800"\n', 1, "unpaired surrogate"),
        ("a: *x\n", 1, "anchor"),
        ("a: &x [*x]\n", 1, "anchor"),
        ("a: [1\n", 2, "expected"),
        ("[" * 20_000, 1, "deeper"),
        ("- " * 20_000, 1, "deeper"),
        (BOMB, 5, "aliases included"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_unsupported_yaml_is_refused_with_its_line(text: str, line: int, says: str) -> None:
    start = time.monotonic()
    with pytest.raises(BadConfig) as caught:
        parse_yaml(text, "file.yaml")
    assert time.monotonic() - start < 5
    (problem,) = caught.value.problems
    assert problem.where == f"file.yaml:{line}"
    assert says in str(problem)


@pytest.mark.parametrize("text", ["9" * 5_000, "1e999"], ids=["digits", "exponent"])
def test_a_number_beyond_all_bounds_is_infinite(text: str) -> None:
    assert parse_yaml(text, "test").value == math.inf


@pytest.mark.parametrize("content", [b"a: \xff\n", "a: 1".encode("utf-16"), b"a: \x07"])
def test_a_binary_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s.yaml").write_bytes(content)
    with pytest.raises(BadConfig):
        read_yaml(tmp_path / "s.yaml", "s.yaml")


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_bytes("\ufeffa: 1".encode())
    assert read_yaml(tmp_path / "s.yaml", "s.yaml").value == {"a": 1}


def test_a_large_or_missing_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("#" * (MAX_BYTES + 1))
    for name in ("s.yaml", "none.yaml"):
        with pytest.raises(BadConfig, match=name):
            read_yaml(tmp_path / name, name)


@given(st.text(max_size=60))
def test_any_text_is_plain_data_or_one_error(text: str) -> None:
    try:
        value = parse_yaml(text, "test").value
    except BadConfig as error:
        assert len(error.problems) == 1
    else:
        assert isinstance(value, str | bool | int | float | list | dict | None)
