"""Batches of texts: tokens of the training split's encoding, little padding, nothing lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from conf.runtime.home import Home
from conf.schema.study import Study
from data.loading.datamodule import StudyData
from tasks.prepare import Prepared, prepare

WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"]


def lines(count: int) -> list[str]:
    random = np.random.default_rng(0)
    return [" ".join(random.choice(WORDS, random.integers(1, 30))) + f" {n}" for n in range(count)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("texts")


def study(folder: Path, kind: str, **more) -> Study:
    rows = lines(300)
    if kind == "text":
        content = ["label,text", *(f"{n % 2},{text}" for n, text in enumerate(rows))]
        data = {"source": "table", "path": "t.csv", "label": "label", "text": "text"}
        split, evaluate = {"by": "stratified"}, {}
    else:
        content = [f"{text}\t{' '.join(reversed(text.split()))}" for text in rows]
        data = {"source": "pairs", "path": "t.tsv"}
        split, evaluate = {"by": "group"}, {"objective": "bleu", "metrics": ["bleu"]}
    (folder / str(data["path"])).write_text("\n".join(content))
    clean = {"text": {"vocabulary": 400}}
    return Study(name="t", data=data, split=split, clean=clean, evaluate=evaluate, **more)


def ready(folder: Path, monkeypatch, kind: str, **more) -> tuple[Study, Prepared]:
    monkeypatch.setenv("DENSE_DATA", str(folder))
    made = study(folder, kind, **more)
    return made, prepare(made, Home.open(folder / "home"))


def epoch(made: Study, prepared: Prepared, number: int = 0, **more) -> list[dict]:
    data = StudyData(
        made.trial_config, prepared.card, prepared.train, prepared.validation, 3, **more
    )
    loader = data.train_dataloader()
    loader.batch_sampler.sampler.set_epoch(number)
    return list(loader)


def texts_by_id(batches: list[dict]) -> dict[int, str]:
    return {
        int(number): text
        for batch in batches
        for number, text in zip(batch["id"], batch["text"], strict=True)
    }


def test_for_ngrams_the_texts_come_as_they_are_trained_on(folder, monkeypatch):
    linear = {"model": {"kind": "linear"}}
    made, prepared = ready(folder, monkeypatch, "text", **linear)
    known = dict(enumerate(lines(300)))
    batches = epoch(made, prepared)
    assert all(batch.keys() == {"id", "text", "y"} for batch in batches)
    read = texts_by_id(batches)
    assert len(read) > 150 and all(known[number] == text for number, text in read.items())
    changed, _ = ready(
        folder, monkeypatch, "text", augment={"delete": {"share": 0.5, "p": 1.0}}, **linear
    )
    less = texts_by_id(epoch(changed, prepared))
    assert less.keys() == read.keys()
    assert sum(map(len, less.values())) < 0.7 * sum(map(len, read.values()))
    for held in (prepared.train, prepared.validation):  # in one order with what reads tokens
        orders = []
        for one in (made, study(folder, "text")):
            data = StudyData(one.trial_config, prepared.card, prepared.train, held, 3)
            orders.append(np.concatenate([batch["id"] for batch in data.val_dataloader()]))
        np.testing.assert_array_equal(*orders)


@pytest.mark.parametrize("kind", ["text", "pairs"])
def test_an_epoch_has_every_row_once_and_little_padding(folder, monkeypatch, kind):
    made, prepared = ready(folder, monkeypatch, kind)
    batches = epoch(made, prepared, batch_size=16)
    ids = torch.cat([batch["id"] for batch in batches])
    assert len(ids) == len(ids.unique()) == prepared.card.rows.train
    filled = sum(int(batch["mask"].sum()) for batch in batches)
    room = sum(batch["mask"].numel() for batch in batches)
    assert filled / room > 0.8
    for batch in batches:
        assert (batch["x"][~batch["mask"]] == prepared.card.inputs.pad).all()
        if kind == "pairs":
            assert (batch["y"][:, 0] == prepared.card.inputs.start).all()
            last = batch["y_mask"].sum(dim=1) - 1
            assert (batch["y"].gather(1, last[:, None]) == prepared.card.inputs.end).all()


@pytest.mark.parametrize("augment", [{}, {"preset": "heavy"}], ids=["plain", "changed"])
def test_workers_change_no_text(folder, monkeypatch, augment):
    made, prepared = ready(folder, monkeypatch, "text", augment=augment)
    for one, two in zip(epoch(made, prepared, 2), epoch(made, prepared, 2, workers=2), strict=True):
        assert all(torch.equal(one[name], two[name]) for name in one)


def test_changed_texts_differ_from_epoch_to_epoch(folder, monkeypatch):
    made, prepared = ready(folder, monkeypatch, "text", augment={"preset": "heavy"})
    first, second = (
        {
            int(i): row[mask].tolist()
            for batch in epoch(made, prepared, number)
            for i, row, mask in zip(batch["id"], batch["x"], batch["mask"], strict=True)
        }
        for number in (0, 1)
    )
    assert sum(first[i] != second[i] for i in first) > len(first) / 2


def test_the_encoding_is_trained_on_the_training_part_alone(folder, monkeypatch):
    from tokenizers import Tokenizer

    _, prepared = ready(folder, monkeypatch, "text")
    tokenizer = Tokenizer.from_file(str(prepared.train.parent / "tokenizer.json"))
    import datasets

    stored = datasets.load_from_disk(str(prepared.train))
    assert stored[0]["text_tokens"] == tokenizer.encode(stored[0]["text"]).ids
    assert tokenizer.decode(stored[0]["text_tokens"]).strip() == stored[0]["text"]
    assert prepared.card.inputs.vocabulary == tokenizer.get_vocab_size()
