"""Settings of pre-trained models for text generation."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from conf.schema.base import Capabilities
from conf.schema.pretrained import LIBRARY, FineTuned

SEQ2SEQ = Capabilities(
    data=("pairs",),
    network="models.pretrained.seq2seq:writer_net",
    sharded=False,
    recomputes=True,
    lengths=("tokens", "answer"),
    decisive=("tune", "pad"),
    search=("seq2seq",),
    preload=LIBRARY,
)


class PretrainedSeq2Seq(FineTuned):
    """Settings of all pre-trained models for text generation."""

    tokens: Annotated[int, Field(ge=8, le=32_768)] = 128
    """Most tokens of the source, special tokens included; longer texts are truncated."""
    answer: Annotated[int, Field(ge=2, le=32_768)] = 128
    """Most tokens of the generated text, end token included; longer targets are truncated in
    training."""
    dropout: Annotated[float, Field(ge=0.0, le=0.9)] | None = None
    """Dropout in the layers; the model's own when absent."""
    pad: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """Padding token, for a tokenizer that defines none."""
    smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    """Label smoothing: share of a target token's probability that is spread over the vocabulary."""
    beams: Annotated[int, Field(ge=1, le=64)] = 4
    """Beam width of the beam search; 1 is greedy decoding."""
    length_penalty: Annotated[float, Field(ge=0.0, le=5.0)] = 1.0
    """Exponent of the length normalisation in beam search: a text's log-likelihood is divided by
    its number of tokens to this power; larger values prefer longer texts."""


class Seq2Seq(PretrainedSeq2Seq):
    """A pre-trained encoder-decoder, or an encoder joined with a decoder, for pairs."""

    capabilities: ClassVar = SEQ2SEQ

    kind: Literal["seq2seq"] = "seq2seq"
    """Any encoder-decoder of `transformers`; from an encoder's weights both halves are initialised,
    with new cross-attention (arXiv:1907.12461)."""
    tune: Literal["full", "lora", "adalora", "ia3"] = "full"
    """Parameters that are trained: all, or adapters that are merged into the layers at the end
    (LoRA, AdaLoRA, IA3); new cross-attention is always trained."""
    cut: Literal["end", "start", "middle"] = "end"
    """Where a source that is too long is truncated."""


class Causal(PretrainedSeq2Seq):
    """A pre-trained causal language model that is fine-tuned on prompts and answers, for pairs."""

    capabilities: ClassVar = replace(
        SEQ2SEQ, lengths=("tokens", "answer", "virtual"), search=("causal",)
    )

    kind: Literal["causal"] = "causal"
    """Any causal language model of `transformers`; only the tokens of the answer enter the loss."""
    tune: Literal["full", "lora", "adalora", "ia3", "prefix", "prompt"] = "full"
    """Parameters that are trained: all, adapters that are merged into the layers at the end (LoRA,
    AdaLoRA, IA3), or virtual tokens in front of every text: in all layers (`prefix`) or as input
    embeddings (`prompt`)."""
    prompt: Annotated[str, Field(pattern=r"\{source\}", max_length=4_000)] = "{source}\n"
    """Template of the prompt; `{source}` is replaced by the source."""
    cut: Literal["end", "start", "middle"] = "middle"
    """Where a prompt that is too long is truncated."""
    packing: bool = True
    """Sequence packing: train on several pairs in one row, with attention masked between them, in
    place of padding. The loss is the same. Not applied with virtual tokens."""
    smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Label smoothing: share of a target token's probability that is spread over the vocabulary."""
    beams: Annotated[int, Field(ge=1, le=64)] = 1
    """Beam width of the beam search; 1 is greedy decoding."""
