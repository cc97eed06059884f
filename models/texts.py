"""Pre-trained transformers that classify texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from conf.errors import BadInput
from conf.foundation import Transformer
from data.weights import check_head, facts_of
from models.answers import outputs_of
from models.pretrained import ADAPTERS, LEARNT, MERGED, adapted, freeze, load_classifier, lr_factors


class TextNet(nn.Module):
    """A sequence-classification model of `transformers`: tokens in, logits out.

    Takes tokens int64[n, length] and their mask bool[n, length]; gives logits (n, classes).
    """

    def __init__(self, net: Any, model: Transformer) -> None:
        super().__init__()
        self._model, self._prefix = model, f"{net.base_model_prefix}."
        if model.tune in ADAPTERS:
            self.net: Any = adapted(net, model, task_type="SEQ_CLS")
        else:
            freeze(net, self._prefix, model)
            self.net = net
        self.train()  # the library hands out networks without dropout, and Lightning leaves it so

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        logits: Tensor = self.net(input_ids=x, attention_mask=mask.long()).logits
        return logits

    def train(self, mode: bool = True) -> TextNet:
        """A frozen network has no dropout: what the head learns from does not vary."""
        super().train(mode)
        if self._model.tune == "frozen":
            getattr(self.net, self._prefix[:-1]).eval()
        return self

    def embeddings(self) -> nn.Module:
        """The layer that gives the vectors of tokens: what adversarial training moves."""
        layer: nn.Module = self.net.get_input_embeddings()
        return layer

    def lr_factors(self) -> dict[nn.Parameter, float]:
        """Learning rates as multiples of `train.lr`."""
        return lr_factors(self.net, self._prefix, self._model)

    def merged(self) -> TextNet:
        """The same network with what was added to layers merged into them, to be served."""
        if self._model.tune in MERGED:
            self.net = self.net.merge_and_unload()
        return self


def text_net(model: Transformer, folder: Path, card: Mapping[str, Any]) -> TextNet:
    """The network of a text study; a new head is drawn from torch's generator.

    Args:
        model: the study's settings.
        folder: the weights' files.
        card: the data card.

    Raises:
        BadInput: the data are no texts, the architecture cannot classify texts, or its head does
            not fit.
    """
    if card["inputs"]["kind"] != "text":
        raise BadInput(
            f"model.kind transformer does not take data of kind {card['inputs']['kind']}"
        )
    facts, outputs = facts_of(folder), outputs_of(card)
    check_head(model, facts, outputs)
    check_additions(model, facts)
    net = TextNet(_loaded(model, folder, facts, outputs), model)
    if model.tune in LEARNT:
        try_out(net, model)
    return net


def check_additions(model: Transformer, facts: Mapping[str, Any]) -> None:
    """BadInput where an addition goes with texts but not with this way to classify them."""
    from transformers.models.auto import modeling_auto as known

    name = facts["model_type"]
    last = name not in known.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    if model.tune == "prompt" and last and name in known.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise BadInput(
            f"model.tune: {name} looks among tokens for the last one of a text, and with prompt it "
            "sees vectors; use prefix or lora"
        )


@torch.no_grad()
def try_out(net: TextNet, model: Transformer) -> None:
    """BadInput where the network does not take what is to stand before its texts."""
    tokens = torch.zeros((2, 4), dtype=torch.int64)
    try:
        net.eval()(tokens, tokens == 0)
    except (ValueError, TypeError, RuntimeError, AttributeError) as error:
        first = (str(error).splitlines() or [""])[0][:200]
        raise BadInput(
            f"model.tune: {model.tune} does not go with this network ({first}); use lora"
        ) from error
    net.train()


def _loaded(model: Transformer, folder: Path, facts: dict[str, Any], classes: int) -> Any:
    def complete(config: Any) -> None:
        if config.pad_token_id is None:  # decoders look for the last token that is no padding
            from data.encoder import encoder_of

            config.pad_token_id = encoder_of(model, folder, facts).rules.pad

    return load_classifier(
        "AutoModelForSequenceClassification",
        folder,
        model,
        classes,
        of="texts",
        form="sequence-classification",
        complete=complete,
    )
