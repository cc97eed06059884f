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
from models.pretrained import ADAPTERS, adapted, freeze, lr_factors, quiet


class TextNet(nn.Module):
    """A sequence-classification model of `transformers`: tokens in, logits out.

    Takes tokens int64[n, length] and their mask bool[n, length]; gives logits (n, classes).
    """

    def __init__(self, net: Any, model: Transformer) -> None:
        super().__init__()
        self._model, self._prefix = model, f"{net.base_model_prefix}."
        if model.tune in ADAPTERS:
            self.net: Any = adapted(net, model, texts=True)
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
        if self._model.tune in ADAPTERS:
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
    facts, classes = facts_of(folder), len(card["classes"])
    check_head(model, facts, classes)
    net = _loaded(model, folder, facts, classes)
    if model.head == "new":
        begin_head(net)
    return TextNet(net, model)


def _loaded(model: Transformer, folder: Path, facts: dict[str, Any], classes: int) -> Any:
    from transformers import AutoConfig, AutoModelForSequenceClassification

    quiet()
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, num_labels=classes)
        set_dropout(config, model.dropout)
        if config.pad_token_id is None:  # decoders look for the last token that is no padding
            from data.encoder import encoder_of

            config.pad_token_id = encoder_of(model, folder, facts).rules.pad
        return AutoModelForSequenceClassification.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            ignore_mismatched_sizes=model.head == "new",
        )
    except (ValueError, OSError, RuntimeError, KeyError) as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise BadInput(
            f"model.weights: {folder} cannot be loaded to classify texts ({reason}); choose a "
            "model of an architecture that has a sequence-classification form"
        ) from error


def set_dropout(config: Any, dropout: float | None) -> None:
    """Set every kind of dropout that the architecture's configuration has."""
    if dropout is None:
        return
    known = [
        name
        for name in vars(config)
        if ("dropout" in name or name.endswith("_pdrop")) and "layer" not in name
    ]
    if not known:
        raise BadInput("model.dropout: this architecture has no dropout; leave it out")
    for name in known:
        setattr(config, name, dropout)


def begin_head(net: Any) -> None:
    """Draw anew everything that is no part of the model below the head."""
    for name, module in net.named_children():
        if name != net.base_model_prefix:
            for each in module.modules():
                reset = getattr(each, "reset_parameters", None)
                if reset is not None:
                    reset()
