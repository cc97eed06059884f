"""Pre-trained text generation: encoder-decoders, joined encoders, causal language models."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from conf.runtime.errors import BadInput
from conf.schema.model import check_data_kind
from conf.schema.seq2seq import Causal, Seq2Seq
from data.assets.pretrained import check_writer, facts_of, is_encoder
from data.card import DataCard
from data.encoding.pair_tokenizer import PairEncoder, Writer, pair_encoder
from models.pretrained.adapters import ADAPTERS, MERGEABLE, VIRTUAL_TOKENS, with_adapters
from models.pretrained.decoding import settings, written
from models.pretrained.loading import (
    LOADING_INFO,
    newly_initialised,
    set_dropout,
    silence_transformers,
)
from models.pretrained.sequence_packing import Rows, packed


class PretrainedSeq2SeqNet(nn.Module):
    """A text generation network of `transformers`.

    Takes tokens int64[n, length] and masks bool[n, length], padded on the right; targets run from
    the start token to the end token.
    """

    def __init__(
        self, net: Any, model: Writer, encoder: PairEncoder, new: Collection[str] = ()
    ) -> None:
        """`new` are the names of newly initialised weights, which are always trained."""
        super().__init__()
        self.model, self.tokenizer = model, encoder.source.tokenizer
        self.settings = settings(
            pad=encoder.source.rules.pad,
            start=encoder.start,
            end=encoder.end,
            longest=model.answer,
            beams=model.beams,
            penalty=model.length_penalty,
            joined=isinstance(model, Seq2Seq),
            # What fills up shorter prompts would stand between them and the learnt tokens.
            alike=model.tune in VIRTUAL_TOKENS,
        )
        self._packs = (
            isinstance(model, Causal) and model.packing and model.tune not in VIRTUAL_TOKENS
        )
        self.net: Any = net
        if model.tune in ADAPTERS:
            self.net = with_adapters(net, model, new, "CAUSAL_LM")
        self.train()  # the library hands out networks without dropout, and Lightning leaves it so

    def losses(
        self, x: Tensor, mask: Tensor, y: Tensor, y_mask: Tensor, smoothing: float
    ) -> Tensor:
        """Negative log-likelihood of each target, summed over its tokens in nats, shape (n,)."""
        if isinstance(self.model, Causal):
            return self._of_prompts(x, mask, y, y_mask, smoothing)
        said = self.net(
            input_ids=x, attention_mask=mask.long(), decoder_input_ids=y[:, :-1], use_cache=False
        )
        known = y_mask[:, 1:]
        each = _each(said.logits[known], y[:, 1:][known], smoothing)
        return each.new_zeros(known.shape).masked_scatter(known, each).sum(dim=1)

    def _of_prompts(
        self, x: Tensor, mask: Tensor, y: Tensor, y_mask: Tensor, smoothing: float
    ) -> Tensor:
        assert isinstance(self.model, Causal)
        room = self.model.tokens + self.model.answer if self._packs else 0
        rows = packed(x, mask, y[:, 1:], y_mask[:, 1:], room)
        given = apart(rows) if self._packs else {"attention_mask": rows.filled.long()}
        said = self.net(input_ids=rows.tokens, use_cache=self.model.tune == "prefix", **given)
        logits = said.logits[:, -rows.tokens.shape[1] :]  # learnt tokens stand before
        each = _each(logits[rows.asked], rows.answers, smoothing)
        return each.new_zeros(len(x)).index_add(0, rows.owners, each)

    def write(self, x: Tensor, mask: Tensor, beams: int | None = None) -> list[list[int]]:
        """Generated tokens for each source; `beams` overrides the model's own."""
        how = self.settings
        if beams == 1:
            kept = {name: each for name, each in how["generate"].items() if name not in OF_BEAMS}
            how = {**how, "generate": {**kept, "num_beams": 1}}
        return written(self.net, x, mask, how)

    def lr_factors(self) -> dict[nn.Parameter, float]:
        """Learning rates of parameters as multiples of `train.lr`."""
        if self.model.tune not in ADAPTERS:
            return {}
        return {p: self.model.adapter_lr for p in self.parameters() if p.requires_grad}

    def merged(self) -> Any:
        """The library's network with adapters merged into the layers; virtual tokens stay beside
        it."""
        return self.net.merge_and_unload() if self.model.tune in MERGEABLE else self.net


OF_BEAMS = ("length_penalty", "early_stopping")


def apart(rows: Rows) -> dict[str, Tensor]:
    """Keyword arguments that keep the pairs of a row from attending to each other."""
    return {"attention_mask": rows.sight(), "position_ids": rows.positions}


def _each(logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    return functional.cross_entropy(
        logits.float(), targets, reduction="none", label_smoothing=smoothing
    )


def writer_net(model: Seq2Seq | Causal, folder: Path, card: DataCard) -> PretrainedSeq2SeqNet:
    """The text generation network with the weights in a folder.

    Raises:
        BadInput: the data are no pairs, or the architecture cannot generate texts.
    """
    check_data_kind(model.kind, card.inputs.kind)
    facts = facts_of(folder)
    check_writer(model, facts)
    encoder = pair_encoder(model, folder, facts)
    net, new = _loaded(model, folder, facts, encoder)
    if isinstance(model, Causal) and model.packing and model.tune not in VIRTUAL_TOKENS:
        check_packing(net, model.tokens + model.answer)
    return PretrainedSeq2SeqNet(net, model, encoder, new)


def _loaded(
    model: Writer, folder: Path, facts: dict[str, Any], encoder: PairEncoder
) -> tuple[Any, set[str]]:
    """The network, and the names of newly initialised weights."""
    import transformers

    silence_transformers()
    common: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = transformers.AutoConfig.from_pretrained(folder, **common)
        set_dropout(config, model.dropout)
        common |= {"use_safetensors": True, "dtype": torch.float32, **LOADING_INFO}
        if isinstance(model, Seq2Seq) and is_encoder(facts):
            net, new = _joined(folder, model, common)
        else:
            auto = "AutoModelForSeq2SeqLM" if isinstance(model, Seq2Seq) else "AutoModelForCausalLM"
            net, told = getattr(transformers, auto).from_pretrained(folder, config=config, **common)
            new = newly_initialised(told, folder)
    except (ValueError, OSError, RuntimeError, KeyError) as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise BadInput(
            f"model.weights: {folder} cannot be loaded to write texts ({reason}); choose a model "
            f"of an architecture that model.kind {model.kind} takes"
        ) from error
    for each in {id(one): one for one in (net.config, *_halves(net.config))}.values():
        each.pad_token_id = encoder.source.rules.pad
        each.eos_token_id = encoder.end
        if isinstance(model, Seq2Seq):
            each.decoder_start_token_id = encoder.start
    net.generation_config = transformers.GenerationConfig()
    return net, new


def _joined(folder: Path, model: Seq2Seq, common: dict[str, Any]) -> tuple[Any, set[str]]:
    """An encoder-decoder initialised from an encoder's weights (arXiv:1907.12461)."""
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, EncoderDecoderModel

    halves: dict[str, Any] = {}
    new: set[str] = set()
    roles: tuple[tuple[str, Any, dict[str, bool]], ...] = (
        ("encoder", AutoModel, {}),
        ("decoder", AutoModelForCausalLM, {"is_decoder": True, "add_cross_attention": True}),
    )
    for name, auto, role in roles:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, **role)
        set_dropout(config, model.dropout)
        halves[name], told = auto.from_pretrained(folder, config=config, **common)
        new |= {f"{name}.{each}" for each in newly_initialised(told, folder)}
    if getattr(halves["encoder"], "pooler", None) is not None:
        halves["encoder"].pooler = None  # nobody asks it: its weights would wait for gradients
    return EncoderDecoderModel(**halves), new


def _halves(config: Any) -> list[Any]:
    found = [getattr(config, name, None) for name in ("encoder", "decoder")]
    return [half for half in found if hasattr(half, "model_type")]


@torch.no_grad()
def check_packing(net: Any, room: int) -> None:
    """Raise BadInput if packed pairs attend to each other, which is tried out, or if a sliding
    window is too short for a packed row."""
    kind, window = net.config.model_type, getattr(net.config, "sliding_window", None)
    if isinstance(window, int) and window < room:
        raise BadInput(
            f"model.packing: in a row of {room} tokens {kind} would see more than its {window}; "
            "set model.packing=false"
        )
    known = getattr(net.config, "vocab_size", 10)  # may be as small as that of DNA
    x, y = (torch.tensor(each) % known for each in ([[2, 3], [4, 5]], [[6, 7], [8, 9]]))
    everywhere = torch.ones_like(x, dtype=torch.bool)
    together, alone = (packed(x, everywhere, y, everywhere, most) for most in (6, 0))
    try:
        said = net(input_ids=together.tokens, use_cache=False, **apart(together)).logits
        wanted = net(input_ids=alone.tokens, use_cache=False).logits[alone.asked]
        least = float(wanted.std()) / 1e3
        same = torch.allclose(said[together.asked], wanted, rtol=0.0, atol=least)
    except (TypeError, ValueError, RuntimeError, AttributeError):  # it does not take such a mask
        same = False
    if not same:
        raise BadInput(
            f"model.packing: {kind} carries on from one pair to the next in a row; set "
            "model.packing=false"
        )
