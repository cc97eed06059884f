"""Every packaged data set is fetched, prepared, described, and gives an epoch of batches."""

from __future__ import annotations

from pathlib import Path

import pytest

from conf.runtime.home import Home
from conf.schema.study import Study
from data.loading.datamodule import StudyData
from tasks.prepare import Prepared, prepare

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

# Rows read, rows kept, and classes, as they were counted by hand.
SETS = {
    "mnist": (5_000, 5_000, 10),
    "tweets": (4_200, 3_432, 2),
    "movie-reviews": (10_605, 10_070, 2),
    "solar-cells": (2_624, 2_624, 3),
    "reviews-zh": (35_124, 17_410, 2),
    "en-es": (12_899, 12_899, 0),
    "pronounce": (117_493, 117_492, 0),
}


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home.open(tmp_path_factory.mktemp("home"))


def study(name: str, augment: str | None) -> Study:
    pairs = name in ("en-es", "pronounce")
    data = {"source": "package", "name": name, "accept_licence": "CC-BY-NC-SA-4.0"}
    return Study(
        name=name,
        data={**data, "task": "translation" if pairs else "classification"},
        split={"by": "group" if pairs else "stratified"},
        evaluate={"objective": "bleu", "metrics": ["bleu"]} if pairs else {},
        augment={"preset": augment},
    )


def rows_of_an_epoch(made: Study, prepared: Prepared) -> int:
    data = StudyData(made.trial_config, prepared.card, prepared.train, prepared.validation, 0)
    ids = [number for batch in data.train_dataloader() for number in batch["id"].tolist()]
    assert len(set(ids)) == len(ids)
    return len(ids) + sum(len(batch["id"]) for batch in data.val_dataloader())


@pytest.mark.parametrize("name", SETS)
def test_it_prepares_and_gives_an_epoch(name: str, assets: Home) -> None:
    prepared = prepare(study(name, None), assets)
    read, kept, classes = SETS[name]
    rows = prepared.card.rows
    assert (rows.read, rows.kept, len(prepared.card.classes)) == (read, kept, classes)
    assert prepared.card.source["licence"]
    assert prepared.card.leakage.exact == 0
    for preset in (None, "light"):
        made = study(name, preset)
        # Of pairs, whose texts are written anew to be scored, a share is validated on.
        most = made.evaluate.texts.rows if prepared.card.kind == "pairs" else None
        held = min(rows.validation, most or rows.validation)
        assert rows_of_an_epoch(made, prepared) == rows.train + held


@pytest.mark.parametrize(("name", "language"), [("tweets", "en"), ("reviews-zh", "zh")])
def test_synonyms_come_from_a_thesaurus(name: str, language: str, assets: Home) -> None:
    from data.preview.samples import text_samples

    made = Study(
        name=name,
        data={"source": "package", "name": name},
        augment={"synonyms": {"language": language, "share": 1.0, "p": 1.0}},
    )
    prepared = prepare(made, assets)
    samples = text_samples(made.trial_config, prepared.card, Path(prepared.train), 0, rows=20)
    assert sum(stored != changed for stored, *rest in samples for changed in rest) > 20
