"""The persistent collections behave as a list and a sorted list do, and never change in place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.study.persistent_collections import SortedSet, Vector

OPERATIONS = st.lists(st.tuples(st.booleans(), st.integers(0, 900)), max_size=60)


def filled(keys: range) -> SortedSet[int]:
    """A set with some keys, put in from both ends."""
    found: SortedSet[int] = SortedSet()
    for key in [*keys[::2], *reversed(keys[1::2])]:
        found = found.add(key)
    return found


@given(OPERATIONS)
def test_a_sorted_set_is_a_set_in_order(operations: list[tuple[bool, int]]) -> None:
    found, model = filled(range(100, 800)), set(range(100, 800))
    for add, key in operations:
        before = tuple(found)
        after = found.add(key) if add else found.discard(key)
        (model.add if add else model.discard)(key)
        assert tuple(found) == before
        found = after
        assert len(found) == len(model)
        assert (key in found) == (key in model)
        assert found.rank(key) == sum(other < key for other in model)
    assert list(found) == sorted(model)
    assert found.first == min(model)


def test_an_empty_sorted_set_has_no_first() -> None:
    empty: SortedSet[int] = SortedSet()
    assert empty.first is None
    assert empty.add(3).discard(3).first is None
    assert empty.rank(3) == 0


def test_a_vector_keeps_its_items_and_older_versions() -> None:
    vector: Vector[int] = Vector()
    for item in range(1_000):
        vector = vector.append(item)
    changed = vector.replace(513, -1)
    assert list(vector) == list(range(1_000))
    assert [changed[index] for index in (512, 513, 514)] == [512, -1, 514]
    assert len(changed) == 1_000


@pytest.mark.parametrize("index", [-1, 1])
def test_a_vector_has_no_other_places(index: int) -> None:
    vector = Vector[int]().append(0)
    with pytest.raises(IndexError):
        vector[index]
    with pytest.raises(IndexError):
        vector.replace(index, 1)
