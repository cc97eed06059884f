"""Back-translation: made once for every text, by the models that the study names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from conf.runtime import child_process
from conf.runtime.errors import BadInput, DenseError
from conf.runtime.home import Home
from conf.schema.study import Study
from data.loading.datamodule import StudyData
from data.loading.split_reader import PreparedSplit
from data.preview.samples import text_samples
from data.transforms.backtranslations import paraphrases_file
from tasks.prepare import Prepared, prepare
from tasks.prepare.encoding import backtranslate

WORDS = ["<pad>", "</s>", "<unk>", *(f"w{number}" for number in range(40))]
ROWS = 30


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A translation model of a few random weights, as `save_pretrained` writes it."""
    import torch
    from tokenizers import models, pre_tokenizers
    from transformers import BartConfig, BartForConditionalGeneration, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("models") / "tiny"
    inner = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, "<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    special = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=inner, **special).save_pretrained(folder)
    sizes: dict[str, Any] = {
        f"{side}_{name}": value
        for side in ("encoder", "decoder")
        for name, value in (("layers", 1), ("attention_heads", 2), ("ffn_dim", 8))
    }
    torch.manual_seed(3)
    config = BartConfig(
        vocab_size=len(WORDS), d_model=8, max_position_embeddings=32, pad_token_id=0,
        bos_token_id=1, eos_token_id=1, decoder_start_token_id=1, forced_eos_token_id=None, **sizes,
    )  # fmt: skip
    BartForConditionalGeneration(config).save_pretrained(folder)
    return folder


@pytest.fixture
def study(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A study of texts whose every row is replaced; the models run in this process."""
    place = model.parent
    lines = [f"{n % 2},w{n % 40} w{n} w{(n * 7) % 40}" for n in range(ROWS)]
    (place / "t.csv").write_text("\n".join(["label,text", *lines]))
    monkeypatch.setenv("DENSE_DATA", str(place))
    monkeypatch.setattr(
        backtranslate, "call", lambda _, request, **__: backtranslate.translated(request)
    )
    back = {"source": "local", "path": model.name}
    return Study.model_validate(
        {
            "name": "t",
            "data": {"source": "table", "path": "t.csv", "label": "label", "text": "text"},
            "clean": {"text": {"vocabulary": 400}},
            "augment": {"back_translation": {"there": back, "back": back, "p": 1.0}},
        }
    )


def seen(study: Study, prepared: Prepared, epoch: int = 0) -> dict[int, str]:
    """The texts that a trial reads in an epoch, by their number in the source."""
    tokenizer = Tokenizer.from_file(str(prepared.train.parent / "tokenizer.json"))
    data = StudyData(
        study.trial_config, prepared.card, prepared.train, None, 0, also=[prepared.validation]
    )
    loader = data.train_dataloader()
    loader.batch_sampler.sampler.set_epoch(epoch)  # type: ignore[union-attr]
    return {
        number: tokenizer.decode(tokens).strip()
        for batch in loader
        for number, tokens in zip(batch["id"].tolist(), batch["x"].tolist(), strict=True)
    }


def test_every_text_is_replaced_by_its_translation(study: Study, home: Home, model: Path) -> None:
    prepared = prepare(study, home)
    split = PreparedSplit([prepared.train, prepared.validation])
    texts = dict(zip(split.ids.tolist(), split.texts("text").to_pylist(), strict=True))
    found = seen(study, prepared)
    twice = backtranslate.by_model(model, backtranslate.by_model(model, list(texts.values())))
    expected = {n: new or old for (n, old), new in zip(texts.items(), twice, strict=True)}
    assert found == expected
    assert sum(found[number] != texts[number] for number in texts) > len(texts) / 2
    samples = text_samples(study.trial_config, prepared.card, prepared.train, 0)
    assert all(expected[int(split.ids[n])] for n in range(3)) and len(samples[0]) == 4


def test_a_chance_leaves_some_as_they_are(study: Study, home: Home) -> None:
    back = study.augment.back_translation
    assert back is not None
    some = study.augment.model_copy(update={"back_translation": back.model_copy(update={"p": 0.5})})
    prepared = prepare(study, home)
    half = study.model_copy(update={"augment": some})
    assert prepare(half, home).key == prepared.key
    always, one, two = seen(study, prepared), seen(half, prepared), seen(half, prepared, 1)
    kept = sum(one[number] != always[number] for number in one)
    assert 0 < kept < len(one) and one != two


def test_they_are_made_once_and_known_by_their_models(
    study: Study, home: Home, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    prepared = prepare(study, home, said.append)
    prepare(study, home, said.append)
    assert sum("translating" in line for line in said) == 1
    monkeypatch.setattr("data.assets.pretrained.digest", lambda _: "another")
    with pytest.raises(BadInput, match="not the one that has translated"):
        prepare(study, home)
    back = study.augment.back_translation
    assert back is not None
    paraphrases_file(home, prepared.key, back).unlink()
    with pytest.raises(DenseError, match="run the study again"):
        seen(study, prepared)


def test_a_model_that_does_not_translate_is_refused(
    study: Study, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import BertConfig, BertModel

    monkeypatch.setenv("DENSE_DATA", f"{tmp_path}{os.pathsep}{os.environ['DENSE_DATA']}")
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    BertModel(BertConfig(vocab_size=9, intermediate_size=8, **sizes)).save_pretrained(
        tmp_path / "bert"
    )
    one = {"source": "local", "path": "bert"}
    given = {**study.model_dump(), "augment": {"back_translation": {"there": one, "back": one}}}
    with pytest.raises(BadInput, match="does not translate"):
        prepare(Study.model_validate(given), home)


@pytest.mark.long
def test_in_a_process_of_its_own(study: Study, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtranslate, "call", child_process.call)
    assert len(seen(study, prepare(study, home))) == 24
