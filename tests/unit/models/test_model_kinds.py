"""The row of capabilities of each kind of model."""

from __future__ import annotations

import importlib.util

import pytest

from conf.loading.auto_space import tables
from conf.schema.model import MODEL_KINDS


@pytest.mark.parametrize("kind", MODEL_KINDS)
def test_every_name_in_a_row_exists(kind: str) -> None:
    settings = MODEL_KINDS[kind]
    row = settings.capabilities
    assert callable(row.load_network())
    assert {*row.lengths, *row.decisive} <= settings.model_fields.keys()
    assert {*row.search} <= tables().keys()
    assert all(importlib.util.find_spec(module) for module in row.preload)


@pytest.mark.parametrize("kind", MODEL_KINDS)
def test_only_networks_that_classify_are_compressed(kind: str) -> None:
    row = MODEL_KINDS[kind].capabilities
    assert not row.recipes or (row.epochs and not row.generates_text)
