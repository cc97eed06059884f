"""Pre-trained networks that write texts: encoder-decoders, joined encoders, language models."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from conf.errors import BadInput
from conf.writers import Causal, Seq2Seq
from data.answers import PairEncoder, Writer, pair_encoder
from data.weights import check_writer, facts_of, is_encoder
from models.packing import packed
from models.pretrained import ADAPTERS, LEARNT, MERGED, adapted, quiet, set_dropout
from models.written import settings, written


class WriterNet(nn.Module):
    """A network of `transformers` that writes an answer to what it reads.

    Takes tokens int64[n, length] and masks bool[n, length], both filled up at the right; targets go
    from the token that writing starts after to the one that ends a text.
    """

    def __init__(self, net: Any, model: Writer, encoder: PairEncoder) -> None:
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
            alike=model.tune in LEARNT,
        )
        self._packs = isinstance(model, Causal) and model.packing and model.tune not in LEARNT
        self.net: Any = net
        if model.tune in ADAPTERS:
            beside = {"task_type": "CAUSAL_LM"} if model.tune in LEARNT else {}
            self.net = adapted(net, model, **beside)
        self.train()  # the library hands out networks without dropout, and Lightning leaves it so

    def losses(
        self, x: Tensor, mask: Tensor, y: Tensor, y_mask: Tensor, smoothing: float
    ) -> Tensor:
        """Loss of each target, the sum over its tokens in nats, shape (n,)."""
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
        given: dict[str, Any] = {"attention_mask": rows.filled.long()}
        if self._packs:
            given = {"attention_mask": rows.sight(), "position_ids": rows.positions}
        said = self.net(input_ids=rows.tokens, use_cache=self.model.tune == "prefix", **given)
        logits = said.logits[:, -rows.tokens.shape[1] :]  # learnt tokens stand before
        each = _each(logits[rows.asked], rows.answers, smoothing)
        return each.new_zeros(len(x)).index_add(0, rows.owners, each)

    def write(self, x: Tensor, mask: Tensor, beams: int | None = None) -> list[list[int]]:
        """Tokens of the text that answers each source, with the model's beams or others."""
        how = self.settings
        if beams == 1:
            kept = {name: each for name, each in how["generate"].items() if name not in OF_BEAMS}
            how = {**how, "generate": {**kept, "num_beams": 1}}
        return written(self.net, x, mask, how)

    def lr_factors(self) -> dict[nn.Parameter, float]:
        """Learning rates as multiples of `train.lr`."""
        if self.model.tune not in ADAPTERS:
            return {}
        return {p: self.model.adapter_lr for p in self.parameters() if p.requires_grad}

    def merged(self) -> Any:
        """The library's own network, with what was added to layers merged into them; tokens that
        were learnt stay beside it."""
        return self.net.merge_and_unload() if self.model.tune in MERGED else self.net


OF_BEAMS = ("length_penalty", "early_stopping")


def _each(logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    return functional.cross_entropy(
        logits.float(), targets, reduction="none", label_smoothing=smoothing
    )


def writer_net(model: Writer, folder: Path, inputs: Mapping[str, Any]) -> WriterNet:
    """The network of a study of pairs that begins from the weights in a folder.

    Raises:
        BadInput: the data are no pairs, or the weights are no writer's.
    """
    if inputs["kind"] != "pairs":
        raise BadInput(f"model.kind {model.kind} does not take data of kind {inputs['kind']}")
    facts = facts_of(folder)
    check_writer(model, facts)
    encoder = pair_encoder(model, folder, facts)
    net = _loaded(model, folder, facts, encoder)
    if isinstance(model, Causal) and model.packing and model.tune not in LEARNT:
        check_packing(net)
    return WriterNet(net, model, encoder)


def _loaded(model: Writer, folder: Path, facts: dict[str, Any], encoder: PairEncoder) -> Any:
    import transformers

    quiet()
    common: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = transformers.AutoConfig.from_pretrained(folder, **common)
        set_dropout(config, model.dropout)
        common |= {"use_safetensors": True, "dtype": torch.float32}
        if isinstance(model, Seq2Seq) and is_encoder(facts):
            net = _joined(folder, model, common)
        else:
            auto = "AutoModelForSeq2SeqLM" if isinstance(model, Seq2Seq) else "AutoModelForCausalLM"
            net = getattr(transformers, auto).from_pretrained(folder, config=config, **common)
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
    return net


def _joined(folder: Path, model: Seq2Seq, common: dict[str, Any]) -> Any:
    """An encoder and a decoder that both begin from an encoder's weights."""
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, EncoderDecoderModel

    halves = []
    for auto, role in (
        (AutoModel, {}),
        (AutoModelForCausalLM, {"is_decoder": True, "add_cross_attention": True}),
    ):
        config = AutoConfig.from_pretrained(folder, local_files_only=True, **role)
        set_dropout(config, model.dropout)
        halves.append(auto.from_pretrained(folder, config=config, **common))
    return EncoderDecoderModel(encoder=halves[0], decoder=halves[1])


def _halves(config: Any) -> list[Any]:
    found = [getattr(config, name, None) for name in ("encoder", "decoder")]
    return [half for half in found if hasattr(half, "model_type")]


def check_packing(net: Any) -> None:
    """BadInput where rows of several pairs would see each other."""
    kinds = set(getattr(net.config, "layer_types", None) or ())
    whole = kinds <= {"full_attention", "sliding_attention", "chunked_attention"}
    if "position_ids" not in signature(net.forward).parameters or not whole:
        raise BadInput(
            f"model.packing: {net.config.model_type} carries on from one pair to the next in a "
            "row; set model.packing=false"
        )
