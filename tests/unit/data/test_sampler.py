"""Batches that rows stand in by chance, as private training counts on."""

from __future__ import annotations

import numpy as np

from data.loading.sampler import PoissonBatches


def drawn(seed: int, epoch: int, rows: int = 400, batches: int = 20) -> list[list[tuple[int, int]]]:
    sampler = PoissonBatches(rows, batches, seed)
    sampler.set_epoch(epoch)
    return list(sampler)


def test_they_are_a_function_of_seed_and_epoch() -> None:
    assert drawn(0, 1) == drawn(0, 1)
    assert drawn(0, 1) != drawn(0, 2) and drawn(0, 1) != drawn(1, 1)
    assert {epoch for batch in drawn(0, 3) for epoch, _ in batch} == {3}


def test_every_row_stands_in_every_batch_with_the_same_chance() -> None:
    there = np.zeros((200 * 20, 400), dtype=bool)
    for place, batch in enumerate(b for epoch in range(200) for b in drawn(0, epoch)):
        there[place, [row for _, row in batch]] = True
    deviation = np.sqrt(0.05 * 0.95 / len(there))
    assert np.abs(there.mean(axis=0) - 0.05).max() < 5 * deviation
    sizes = there.sum(axis=1)
    assert abs(sizes.mean() - 20) < 0.5 and abs(sizes.var() - 19) < 3  # a binomial's
    together = (there[:, 0] & there[:, 1]).mean()
    assert abs(together - 0.05**2) < 0.004, "rows stand by themselves"
