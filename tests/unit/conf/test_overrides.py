"""The grammar of `path=value`."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.loading.digests import canonical_json
from conf.loading.overrides import DIMENSION_WORDS, overrides_layer, parse_override, split_path
from conf.runtime.errors import BadConfig

words = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
paths = st.lists(words, min_size=1, max_size=4).filter(lambda path: path[0] != "extends")
plain = words.filter(lambda word: word not in DIMENSION_WORDS)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.sampled_from("aé日 \"\'\\#:{}[],&*!|>%@`-0.e"), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(plain, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(paths, json_values)
def test_a_path_and_any_json_value_are_read_back(path: list[str], value: Any) -> None:
    keys, found = parse_override(f"{'.'.join(path)}={canonical_json(value)}")
    assert keys == split_path(".".join(path))
    assert found == value


@given(
    st.lists(plain, min_size=2, max_size=4), st.none() | st.sampled_from(sorted(DIMENSION_WORDS))
)
def test_a_key_of_the_space_keeps_its_dots(parts: list[str], word: str | None) -> None:
    key = ".".join(parts)
    path = f"search.space.{key}" + (f".{word}" if word else "")
    assert split_path(path) == ("search", "space", key, *([word] if word else []))


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("search.space.train.lr.low", ("search", "space", "train.lr", "low")),
        ("search.space.train.scale.scale", ("search", "space", "train.scale", "scale")),
        ("search.space.low", ("search", "space", "low")),
        ("search.space", ("search", "space")),
        ("search.trials", ("search", "trials")),
    ],
)
def test_only_the_last_word_is_split_off_a_key_of_the_space(
    path: str, keys: tuple[str, ...]
) -> None:
    assert split_path(path) == keys


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=1e-3", 1e-3),
        ("a= on", "on"),
        ("a=", None),
        ("a=b=c", "b=c"),
        (" a =1", 1),
        ("a='1'", "1"),
        ("a=[x, {y: 2}]", ["x", {"y": 2}]),
    ],
)
def test_the_value_is_yaml(text: str, value: object) -> None:
    assert parse_override(text) == (("a",), value)


@pytest.mark.parametrize(
    "text",
    ["", "a", "=1", ".a=1", "a.=1", "a..b=1", "a b=1", "a-b=1", "a=[", "extends=base", "a=b: c: d"],
)
def test_invalid_overrides_are_reported(text: str) -> None:
    with pytest.raises(BadConfig) as caught:
        parse_override(text)
    assert repr(text)[1:-1] in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_an_override_or_a_problem(text: str) -> None:
    layer, problems = overrides_layer([text])
    assert bool(layer.values) != bool(problems)


def test_the_later_override_takes_precedence_and_valid_ones_are_kept() -> None:
    layer, problems = overrides_layer(["a.b=1", "nonsense", "a.b=2", "a.c=3"])
    assert layer.values == {"a": {"b": 2, "c": 3}}
    assert layer.place(("a", "b")) == "override 'a.b=2'"
    assert len(problems) == 1
