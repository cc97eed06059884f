"""Persistent (immutable) collections whose changed copies are cheap, however long they are.

The state of a study is replaced at every event; copying a list of 100,000 trials each time would
make a study's cost grow with the square of its length. Both keep their items in chunks, so that a
change copies one chunk and the list of chunks: about 2 * sqrt(length) references.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

_CHUNK = 256

T = TypeVar("T")
K = TypeVar("K", bound="Sortable")


class Sortable(Protocol):
    """Has an order."""

    def __lt__(self, other: Self, /) -> bool: ...


@dataclass(frozen=True)
class Vector(Generic[T]):
    """A sequence that grows at its end and whose items can be replaced."""

    chunks: tuple[tuple[T, ...], ...] = ()
    length: int = 0

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[T]:
        for chunk in self.chunks:
            yield from chunk

    def __getitem__(self, index: int) -> T:
        if not 0 <= index < self.length:
            raise IndexError(index)
        return self.chunks[index // _CHUNK][index % _CHUNK]

    def append(self, item: T) -> Vector[T]:
        """A copy with one more item."""
        if self.length % _CHUNK == 0:
            return Vector((*self.chunks, (item,)), self.length + 1)
        return Vector((*self.chunks[:-1], (*self.chunks[-1], item)), self.length + 1)

    def replace(self, index: int, item: T) -> Vector[T]:
        """A copy with another item at an index."""
        if not 0 <= index < self.length:
            raise IndexError(index)
        place, offset = divmod(index, _CHUNK)
        chunk = _spliced(self.chunks[place], offset, offset + 1, (item,))
        return Vector(_spliced(self.chunks, place, place + 1, (chunk,)), self.length)


@dataclass(frozen=True)
class SortedSet(Generic[K]):
    """A set of comparable keys, in ascending order."""

    chunks: tuple[tuple[K, ...], ...] = ()
    length: int = 0

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[K]:
        for chunk in self.chunks:
            yield from chunk

    def __contains__(self, key: K) -> bool:
        place, offset = self._find(key)
        return place < len(self.chunks) and self.chunks[place][offset] == key

    @property
    def first(self) -> K | None:
        """The smallest key; None when the set is empty."""
        return self.chunks[0][0] if self.chunks else None

    def rank(self, key: K) -> int:
        """Number of smaller keys."""
        place, offset = self._find(key)
        return sum(map(len, self.chunks[:place])) + offset

    def add(self, key: K) -> SortedSet[K]:
        """A copy with a key; the set itself when the key is in it."""
        if not self.chunks:
            return SortedSet(((key,),), 1)
        if key in self:
            return self
        place, offset = self._find(key)
        if place == len(self.chunks):  # larger than all: at the end of the last chunk
            place, offset = place - 1, len(self.chunks[-1])
        chunk = _spliced(self.chunks[place], offset, offset, (key,))
        return SortedSet(_spliced(self.chunks, place, place + 1, _halved(chunk)), self.length + 1)

    def discard(self, key: K) -> SortedSet[K]:
        """A copy without a key; the set itself when the key is not in it."""
        if key not in self:
            return self
        place, offset = self._find(key)
        chunk = _spliced(self.chunks[place], offset, offset + 1, ())
        kept = (chunk,) if chunk else ()
        return SortedSet(_spliced(self.chunks, place, place + 1, kept), self.length - 1)

    def _find(self, key: K) -> tuple[int, int]:
        """Index of the chunk, and index in it, of the first key that is not smaller."""
        place = bisect_left(self.chunks, key, key=lambda chunk: chunk[-1])
        return place, bisect_left(self.chunks[place], key) if place < len(self.chunks) else 0


def _spliced(items: tuple[T, ...], start: int, end: int, put: Iterable[T]) -> tuple[T, ...]:
    return (*items[:start], *put, *items[end:])


def _halved(chunk: tuple[T, ...]) -> tuple[tuple[T, ...], ...]:
    middle = len(chunk) // 2
    return (chunk,) if len(chunk) <= _CHUNK else (chunk[:middle], chunk[middle:])
