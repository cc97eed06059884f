"""However a batch is divided, a step's gradient is the mean over its rows."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import BatchSampler

from conf.schema.train import Train
from data.loading.sampler import EpochSampler
from tasks.train.trial.accumulation import Division, MicroBatches, piece_sizes


@given(rows=st.integers(0, 200), pieces=st.integers(1, 20))
def test_pieces_are_almost_equal(rows: int, pieces: int) -> None:
    sizes = piece_sizes(rows, pieces)
    assert sum(sizes) == rows and len(sizes) == pieces
    assert max(sizes) - min(sizes) <= 1


@given(
    batch=st.integers(1, 100),
    micro=st.none() | st.integers(1, 64),
    devices=st.integers(1, 4),
    halvings=st.integers(0, 4),
    rows=st.integers(1, 150),
)
def test_weighted_pieces_give_the_mean_of_the_batch(
    batch: int, micro: int | None, devices: int, halvings: int, rows: int
) -> None:
    train = Train(batch_size=batch, micro_batch=micro)
    losses = torch.arange(rows, dtype=torch.float64) ** 1.5
    total, summed, rows_seen = 0.0, 0.0, 0
    for rank in range(devices):
        division = Division.of(train, devices, halvings, rank)
        pieces = division.mine(list(range(rows)))
        assert len(pieces) == division.passes
        rows_seen += sum(piece.size for piece in pieces)
        for piece in pieces:
            # What the loop reports; the devices' gradients are averaged besides.
            loss = losses[piece.rows].mean().item() * piece.weight / division.passes
            total += loss / devices
            summed += loss * piece.share
            if rows <= batch:
                assert len(piece.rows) <= max(1, min(micro or batch, -(-batch // devices)))
    assert total == pytest.approx(losses.mean().item())
    assert summed == pytest.approx(losses.sum().item())
    assert rows_seen == rows


@pytest.mark.parametrize(
    ("halvings", "passes"), [(0, 1), (1, 2), (2, 4), (3, 8)], ids=["0", "1", "2", "3"]
)
def test_a_halving_doubles_the_passes(halvings: int, passes: int) -> None:
    assert Division.of(Train(batch_size=64), halvings=halvings).passes == passes


def test_devices_share_one_order_and_follow_the_epoch() -> None:
    def drawn(devices: int, epoch: int) -> list[list[list[tuple[int, int]]]]:
        loaders = [
            MicroBatches(
                BatchSampler(EpochSampler(70, 5), 32, drop_last=False),
                Division(2, devices, rank),
            )
            for rank in range(devices)
        ]
        for loader in loaders:
            loader.sampler.set_epoch(epoch)
        epochs = [list(loader) for loader in loaders]
        assert [len(loader) for loader in loaders] == [len(pieces) for pieces in epochs]
        return epochs

    one, two = drawn(1, 3), drawn(2, 3)
    assert len(two[0]) == len(two[1]) == len(one[0]) == 6
    rows = sorted(row for pieces in two for piece in pieces for _, row in piece)
    assert rows == list(range(70))
    first = [row for piece in one[0][:2] for row in piece]
    assert sorted(first) == sorted(row for pieces in two for piece in pieces[:2] for row in piece)
    assert drawn(1, 4) != one
