"""Layers laid over each other."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.loading.introspect import Shape, leaf_keys, shape_of
from conf.loading.merge import Layer, merge
from conf.schema.study import Study
from tests.unit.conf.kinds import Config

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
trees = st.recursive(
    scalars | st.lists(scalars, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=12,
)
mappings = st.dictionaries(st.sampled_from("abcd"), trees, max_size=4)
NONE = Shape()


def leaves(tree: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Path to everything that is no filled mapping."""
    if not isinstance(tree, dict) or not tree:
        return {path: tree}
    return {k: v for key, part in tree.items() for k, v in leaves(part, (*path, key)).items()}


@given(mappings)
def test_merging_nothing_or_itself_changes_nothing(tree: dict[str, Any]) -> None:
    assert merge(tree, {}, NONE) == tree == merge({}, tree, NONE) == merge(tree, tree, NONE)


@given(mappings, mappings)
def test_every_leaf_of_the_child_takes_precedence(
    parent: dict[str, Any], child: dict[str, Any]
) -> None:
    merged = leaves(merge(parent, child, NONE))
    for path, value in leaves(child).items():
        if value != {}:  # an empty mapping adds nothing
            assert merged[path] == value


@given(mappings, mappings)
def test_leaves_come_from_one_of_the_two(parent: dict[str, Any], child: dict[str, Any]) -> None:
    known = [*leaves(parent).items(), *leaves(child).items()]
    assert all(leaf in known for leaf in leaves(merge(parent, child, NONE)).items())


@given(mappings, mappings)
def test_merging_does_not_modify_its_layers(parent: dict[str, Any], child: dict[str, Any]) -> None:
    before = repr((parent, child))
    merge(parent, child, NONE)
    assert repr((parent, child)) == before


@pytest.mark.parametrize(
    ("parent", "child", "merged"),
    [
        (
            {"kind": "small", "width": 3},
            {"dropout": 0},
            {"kind": "small", "width": 3, "dropout": 0},
        ),
        ({"kind": "small", "width": 3}, {"kind": "small"}, {"kind": "small", "width": 3}),
        ({"kind": "small", "width": 3}, {"kind": "large"}, {"kind": "large"}),
        ({"width": 3}, {"kind": "small"}, {"width": 3, "kind": "small"}),
    ],
    ids=["no kind named", "same kind", "another kind", "kind added"],
)
def test_another_kind_replaces_the_section(parent: Any, child: Any, merged: Any) -> None:
    found = merge({"model": parent}, {"model": child}, shape_of(Config))
    assert found == {"model": merged}


@pytest.mark.parametrize(
    ("parent", "child", "merged"),
    [
        ({"low": 1, "high": 2}, {"low": 0}, {"low": 0, "high": 2}),
        ({"low": 1, "high": 2}, {"choices": [1]}, {"choices": [1]}),
        ({"choices": [1]}, {"low": 1, "high": 2}, {"low": 1, "high": 2}),
        ({"choices": [1]}, {"when": {}}, {"choices": [1], "when": {}}),
        ({"low": 1}, {"hgih": 2}, {"low": 1, "hgih": 2}),
    ],
    ids=["one end", "range to choices", "choices to range", "common key", "typo"],
)
def test_a_range_that_becomes_choices_is_replaced(parent: Any, child: Any, merged: Any) -> None:
    def wrap(dimension: Any) -> Any:
        return {"search": {"space": {"train.lr": dimension}}}

    assert merge(wrap(parent), wrap(child), shape_of(Study)) == wrap(merged)


@pytest.mark.parametrize(
    ("child", "space"),
    [({}, {}), ({"model.width": {"low": 1, "high": 2}}, None)],
    ids=["emptied", "added to"],
)
def test_an_empty_space_replaces_the_parent_space(child: Any, space: Any) -> None:
    parent = {"train.lr": {"choices": [1]}}
    merged = merge({"search": {"space": parent}}, {"search": {"space": child}}, shape_of(Study))
    assert merged["search"]["space"] == ({**parent, **child} if space is None else space)


def test_leaf_keys_are_those_of_all_kinds() -> None:
    assert set(leaf_keys(shape_of(Config))) == {
        "head.layers",
        "model.kind",
        "model.width",
        "model.dropout",
        "model.head.layers",
    }


def test_places_follow_the_values() -> None:
    lines = {("a",): "p:1", ("a", "b"): "p:2", ("a", "b", 0): "p:2", ("a", "c"): "p:3"}
    parent = Layer({"a": {"b": [1, 2], "c": 3}}, lines)
    child = Layer({"a": {"b": [5]}}, {("a", "b"): "override 'a.b=[5]'"})
    both = child.over(parent, NONE)
    assert both.place(("a", "c")) == "p:3"
    assert both.place(("a", "b", 0)) == "override 'a.b=[5]'"
    assert both.place(("a",)) == "override 'a.b=[5]'"
    assert both.place(("z",)) == ""


def test_an_error_beside_an_override_is_placed_at_the_override() -> None:
    parent = Layer({"a": {"b": 1}}, {("a",): "p:1", ("a", "b"): "p:2"})
    both = Layer({"a": {"c": {"low": 0}}}, {("a", "c", "low"): "override 'a.c.low=0'"})
    assert both.over(parent, NONE).place(("a", "c", "high")) == "override 'a.c.low=0'"
    assert both.over(parent, NONE).place(("a", "x")) == "p:1"
