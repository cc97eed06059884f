"""What a person is shown of the changes to texts and tables."""

from __future__ import annotations

import numpy as np

from conf.runtime.home import Home
from conf.schema.augment import Augment
from conf.schema.study import Study
from data.preview.samples import table_samples, text_samples
from tasks.prepare import prepare


def test_samples_of_a_table(home: Home):
    study = Study(name="w", data={"source": "builtin", "name": "wine"}, augment={"jitter": {}})
    prepared = prepare(study, home)
    found = np.array(table_samples(study.trial_config, prepared.card, prepared.train, 1))
    assert found.shape == (5, 4, 13)
    assert 0 < np.abs(found[:, 1:] - found[:, :1]).max() < 1


def test_samples_of_texts(home: Home, tmp_path, monkeypatch):
    monkeypatch.setenv("DENSE_DATA", str(tmp_path))
    lines = [f"{n % 2},some words of line {n}" for n in range(30)]
    (tmp_path / "t.csv").write_text("\n".join(["label,text", *lines]))
    data = {"source": "table", "path": "t.csv", "label": "label", "text": "text"}
    study = Study(name="t", data=data, augment={"preset": "heavy"})
    prepared = prepare(study, home)
    found = text_samples(study.trial_config, prepared.card, prepared.train, 1)
    assert [len(one) for one in found] == [4] * 5
    assert any(changed != one[0] for one in found for changed in one[1:])
    plain = study.model_copy(update={"augment": Augment()})
    same = text_samples(plain.trial_config, prepared.card, prepared.train, 1)
    assert same == [one[:1] for one in found]


def test_samples_of_pairs_show_the_target_too(home: Home, tmp_path, monkeypatch):
    monkeypatch.setenv("DENSE_DATA", str(tmp_path))
    (tmp_path / "p.tsv").write_text("\n".join(f"some words {n}\tpalabras {n}" for n in range(30)))
    study = Study(
        name="p",
        data={"source": "pairs", "path": "p.tsv"},
        split={"by": "group"},
        evaluate={"objective": "bleu", "metrics": ["bleu"]},
    )
    prepared = prepare(study, home)
    for source, target in text_samples(study.trial_config, prepared.card, prepared.train, 1):
        assert target == f"→ palabras {source.split()[-1]}"
