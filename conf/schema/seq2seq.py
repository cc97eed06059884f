"""Settings of pre-trained models that write texts."""

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
    """What all pre-trained models that write have in common."""

    tokens: Annotated[int, Field(ge=8, le=32_768)] = 128
    """Most tokens of what is read, special ones included; longer texts are cut."""
    answer: Annotated[int, Field(ge=2, le=32_768)] = 128
    """Most tokens of what is written, its end included; longer targets are cut in training."""
    dropout: Annotated[float, Field(ge=0.0, le=0.9)] | None = None
    """Dropout in the layers; the model's own when absent."""
    pad: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """Token that fills up shorter texts, for a tokenizer that names none itself."""
    smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    """Share of a target token's probability that is given to all tokens."""
    beams: Annotated[int, Field(ge=1, le=64)] = 4
    """Alternatives that are followed when a text is written; 1 takes the likeliest next token."""
    length_penalty: Annotated[float, Field(ge=0.0, le=5.0)] = 1.0
    """A text's log-likelihood is divided by its tokens to this power: more prefers longer texts."""


class Seq2Seq(PretrainedSeq2Seq):
    """A pre-trained encoder-decoder, or an encoder joined with a decoder, for pairs."""

    capabilities: ClassVar = SEQ2SEQ

    kind: Literal["seq2seq"] = "seq2seq"
    """Any encoder-decoder of `transformers`; of an encoder's weights both halves begin, and the
    decoder's attention to the source is new."""
    tune: Literal["full", "lora", "adalora", "ia3"] = "full"
    """What is trained: everything, or small additions (LoRA, AdaLoRA, IA3) that are merged into
    the layers at the end; new attention is trained itself."""
    cut: Literal["end", "start", "middle"] = "end"
    """Where a source that is too long is cut."""


class Causal(PretrainedSeq2Seq):
    """A pre-trained language model that learns to answer prompts, for pairs."""

    capabilities: ClassVar = replace(
        SEQ2SEQ, lengths=("tokens", "answer", "virtual"), search=("causal",)
    )

    kind: Literal["causal"] = "causal"
    """Any causal language model of `transformers`; the loss is of the answer alone."""
    tune: Literal["full", "lora", "adalora", "ia3", "prefix", "prompt"] = "full"
    """What is trained: everything, small additions (LoRA, AdaLoRA, IA3) that are merged into the
    layers at the end, or tokens before every text: their vectors in all layers (prefix) or in the
    first (prompt)."""
    prompt: Annotated[str, Field(pattern=r"\{source\}", max_length=4_000)] = "{source}\n"
    """What is read before the target is written; `{source}` stands for the source."""
    cut: Literal["end", "start", "middle"] = "middle"
    """Where a prompt that is too long is cut."""
    packing: bool = True
    """Train on several pairs in one row, none of which sees another; otherwise shorter rows are
    filled up. The loss is the same. Prefixes and prompts are learnt on single ones."""
    smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of a target token's probability that is given to all tokens."""
    beams: Annotated[int, Field(ge=1, le=64)] = 1
    """Alternatives that are followed when a text is written; 1 takes the likeliest next token."""
