"""Every sample is a function of (seed, epoch, row): nothing else may change it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from conf.runtime.home import Home
from conf.schema.augment import Augment, Rotate, Shift
from conf.schema.study import Study
from data.loading.datamodule import StudyData
from data.loading.eval_loader import split_loader
from data.loading.sampler import EpochSampler
from tasks.prepare import Prepared, prepare, test_path

AUGMENT = Augment(rotate=Rotate(degrees=20), shift=Shift(fraction=0.2))
STUDY = Study(name="digits", augment=AUGMENT)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(STUDY, Home.open(tmp_path_factory.mktemp("home")))


def made(prepared: Prepared, study: Study = STUDY, seed: int = 5, **more) -> StudyData:
    return StudyData(
        study.trial_config, prepared.card, prepared.train, prepared.validation, seed, **more
    )


def epoch(data: StudyData, number: int = 0) -> dict[str, Tensor]:
    loader = data.train_dataloader()
    loader.sampler.set_epoch(number)
    batches = list(loader)
    return {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]}


def equal(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], two[name]) for name in one)


def test_a_batch_has_the_shapes_and_types_of_the_contract(prepared):
    batch = next(iter(made(prepared).train_dataloader()))
    assert {name: value.dtype for name, value in batch.items()} == {
        "id": torch.int64, "x": torch.float32, "y": torch.int64,
    }  # fmt: skip
    assert batch["x"].shape == (64, 1, 8, 8)
    assert 0 <= batch["x"].min() < batch["x"].max() <= 1


def test_an_epoch_has_every_row_once(prepared):
    ids = epoch(made(prepared))["id"]
    assert len(ids) == len(ids.unique()) == 1079


@pytest.mark.parametrize(
    "more", [{"workers": 2}, {"batch_size": 16}, {}], ids=["workers", "micro-batch", "anew"]
)
def test_what_must_not_change_a_sample_does_not(prepared, more):
    assert equal(epoch(made(prepared), 3), epoch(made(prepared, **more), 3))


def test_workers_that_outlive_an_epoch_give_the_next_ones_samples(prepared):
    data = made(prepared, workers=2)
    loader = data.train_dataloader()
    list(loader)
    loader.sampler.set_epoch(1)
    ids = torch.cat([batch["x"] for batch in loader])
    assert torch.equal(ids, epoch(made(prepared), 1)["x"])


@pytest.mark.parametrize(
    ("seed", "number"), [(6, 0), (5, 1)], ids=["another seed", "another epoch"]
)
def test_what_must_change_the_samples_does(prepared, seed, number):
    before, after = epoch(made(prepared)), epoch(made(prepared, seed=seed), number)
    assert not torch.equal(before["id"], after["id"])
    row = before["id"][0]
    assert not torch.equal(before["x"][0], after["x"][after["id"] == row][0])


def test_torchs_global_generator_is_left_alone(prepared):
    data = made(prepared)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    epoch(data)
    assert torch.equal(torch.get_rng_state(), state)


def test_validation_rows_come_plain_in_order(prepared):
    batches = list(made(prepared).val_dataloader())
    ids = torch.cat([batch["id"] for batch in batches])
    assert (ids.diff() > 0).all()
    assert set(torch.cat([batch["x"] for batch in batches]).mul(16).unique().tolist()) == set(
        range(17)
    )


def test_further_parts_are_trained_on_too(prepared):
    data = StudyData(
        STUDY.trial_config, prepared.card, prepared.train, None, 5, also=[prepared.validation]
    )
    assert len(epoch(data)["id"].unique()) == 1079 + 359
    assert data.val_dataloader() == []


def test_the_test_part_can_be_read_for_scoring(prepared):
    batches = list(split_loader(prepared.card, test_path(prepared), 100))
    assert [len(batch["id"]) for batch in batches] == [100, 100, 100, 59]


def test_a_table_is_standardised_by_the_training_part(tmp_path):
    study = Study(name="wine", data={"source": "builtin", "name": "wine"})
    x = epoch(made(prepare(study, Home.open(tmp_path)), study))["x"]
    np.testing.assert_allclose(x.mean(dim=0), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(dim=0, correction=0), 1, atol=1e-4)


def test_steps_per_epoch_continue_through_the_passes():
    sampler = EpochSampler(10, seed=1, length=4)
    rows = []
    for number in range(5):
        sampler.set_epoch(number)
        rows += [row for _, row in sampler]
    assert sorted(rows[:10]) == sorted(rows[10:]) == list(range(10))
    assert rows[:10] != rows[10:]


def test_large_columns_stay_mapped_and_give_the_same_rows(prepared, monkeypatch):
    plain = epoch(made(prepared))
    monkeypatch.setattr("data.sources.rows.IN_MEMORY", 0)
    assert equal(plain, epoch(made(prepared)))
