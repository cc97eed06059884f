"""From a trained model of texts to the files that serve it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from conf.schema.model import TextCnn
from conf.schema.pretrained import Head, Transformer
from data.assets.pretrained import facts_of, home_of, located
from data.encoding.tokenizer import TOKENIZER, Encoder, encoder_of, prepared_encoder
from models.serving import TextServing

TextReader = Transformer | Head | TextCnn
"""Settings of models that read texts and answer."""
LONGEST = 8
"""Tokens of the example that a graph is drawn from; it takes any number."""


def tokens_of(model: TextReader, parts: Path) -> Encoder:
    """The tokenizer that a model was trained with."""
    if isinstance(model, TextCnn):
        return prepared_encoder(parts)
    folder = located(model.weights, home_of(parts), offline=True)
    return encoder_of(model, folder, facts_of(folder))


def export_texts(serving: TextServing, most: int, path: Path) -> None:
    """Write the graph and its weights as a `.pt2` file: tokens int64[n, length] and their mask in,
    probabilities out, for any number of texts of up to `most` tokens. No pickle is left in it."""
    tokens = torch.zeros((2, LONGEST), dtype=torch.int64)
    mask = torch.ones((2, LONGEST), dtype=torch.bool)
    mask[1, LONGEST // 2 :] = False
    shape = {0: torch.export.Dim("texts", min=1), 1: torch.export.Dim("length", min=1, max=most)}
    program = torch.export.export(serving.eval(), (tokens, mask), dynamic_shapes=(shape, shape))
    program._example_inputs = None
    torch.export.save(program, path)


def text_card(
    answered: Mapping[str, Any], encoder: Encoder, folder: Path
) -> tuple[Mapping[str, Any], Path]:
    """What the served code reads: the card, which begins with its answers, and the tokenizer's
    file, written to a folder."""
    path = folder / TOKENIZER
    encoder.tokenizer.save(str(path))
    return {**answered, "rules": asdict(encoder.rules)}, path
