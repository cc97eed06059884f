"""A tiny transformer with random weights and a tokenizer of its own, as `save_pretrained` writes
them, and tweets of two classes that it can learn."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

GOOD = ("fine", "lovely", "great", "happy", "sunny", "best")
BAD = ("poor", "awful", "sad", "broken", "rainy", "worst")
PLAIN = ("the", "day", "was", "and", "film", "food", "with", "a", "very", "train", "of", "house")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def tiny_bert(
    folder: Path,
    *,
    layers: int = 2,
    head: int | None = None,
    names: Sequence[str] = (),
    pad: bool = True,
) -> Path:
    """Write a BERT of about 10,000 weights; with `head` it classifies into so many classes, which
    `names` may name."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, BertModel

    words = [*SPECIAL, *GOOD, *BAD, *PLAIN]
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=24,
        num_labels=head or 2,
        **({"id2label": dict(enumerate(names))} if names else {}),
    )
    net = BertModel(config) if head is None else BertForSequenceClassification(config)
    net.save_pretrained(folder)
    known = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(known, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    named = {"pad_token": "[PAD]"} if pad else {}
    (folder / "tokenizer_config.json").write_text(json.dumps(named))
    return folder


def tweets(file: Path, rows: int = 160) -> Path:
    """Write texts of 3 to 20 words; each class has words of its own, and the longest are cut."""
    draw = random.Random(0)
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["text", "label"])
        for number in range(rows):
            own = GOOD if number % 2 else BAD
            words = [*draw.choices(PLAIN, k=draw.randint(2, 12)), *draw.choices(own, k=3)]
            draw.shuffle(words)
            writer.writerow([" ".join(words) + f" {number}", "good" if number % 2 else "bad"])
    return file


def study_of(**model: Any) -> dict[str, Any]:
    """A study of `tweets.csv` and the model in the folder `bert`, both below `DENSE_DATA`."""
    return {
        "name": "tiny",
        "data": {"source": "table", "path": "tweets.csv", "text": "text", "label": "label"},
        "model": {
            "kind": "transformer",
            "weights": {"source": "local", "path": "bert"},
            "tokens": 16,
            **model,
        },
        "train": {"epochs": 3, "steps_per_epoch": 20, "batch_size": 16, "lr": 1e-2},
    }
