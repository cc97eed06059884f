"""Pre-trained transformers for text classification."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from conf.runtime.errors import BadInput
from conf.schema.model import check_data_kind
from conf.schema.pretrained import Transformer
from data.assets.pretrained import check_reader, facts_of, head_order, reads_last
from data.card import DataCard
from models.networks.targets import output_count
from models.pretrained.adapters import MERGEABLE, VIRTUAL_TOKENS
from models.pretrained.decoding import to_the_right
from models.pretrained.freezing import lr_factors
from models.pretrained.loading import load_classifier, output_order, prefix_of, tuned


class TextNet(nn.Module):
    """A sequence classification model of `transformers`.

    Takes tokens int64[n, length] and their mask bool[n, length]; gives logits (n, outputs).
    """

    order: Tensor | None

    def __init__(
        self,
        net: Any,
        model: Transformer,
        new: Collection[str] = (),
        order: Sequence[int] | None = None,
    ) -> None:
        """`new` are the names of newly initialised weights; `order` has the output of a kept head
        for each class of the data."""
        super().__init__()
        self.register_buffer("order", output_order(order), persistent=False)
        self._model, self._prefix = model, prefix_of(net)
        # XLNet answers by what stands last in a row, be it padding.
        self._to_the_right = getattr(net.config, "summary_type", None) == "last"
        self.net = tuned(net, self._prefix, model, new)
        self.train()  # the library hands out networks without dropout, and Lightning leaves it so

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Logits, shape (n, outputs)."""
        if self._to_the_right:
            x, mask = to_the_right(x, mask)
        logits: Tensor = self.net(input_ids=x, attention_mask=mask.long()).logits
        return logits if self.order is None else logits[:, self.order]

    def train(self, mode: bool = True) -> TextNet:
        """A frozen network has no dropout, so that the features of a text do not vary."""
        super().train(mode)
        if self._model.tune == "frozen":
            getattr(self.net, self._prefix[:-1]).eval()
        return self

    def embeddings(self) -> nn.Module:
        """The token embedding layer, whose output adversarial training perturbs."""
        layer: nn.Module = self.net.get_input_embeddings()
        return layer

    def lr_factors(self) -> dict[nn.Parameter, float]:
        """Learning rates of parameters as multiples of `train.lr`."""
        return lr_factors(self.net, self._prefix, self._model)

    def merged(self) -> TextNet:
        """The network with its adapters merged into the layers, for inference."""
        if self._model.tune in MERGEABLE:
            self.net = self.net.merge_and_unload()
        return self


def text_net(model: Transformer, folder: Path, card: DataCard) -> TextNet:
    """The text classifier of a study; a new head is initialised from torch's generator.

    Args:
        model: settings.
        folder: files of the weights.
        card: the data card.

    Raises:
        BadInput: the data are no texts, the architecture cannot classify texts, or its head
            does not fit.
    """
    check_data_kind(model.kind, card.inputs.kind)
    facts, outputs = facts_of(folder), output_count(card)
    check_reader(model, facts, "text")
    order = head_order(model, facts, card)
    loaded, new = _loaded(model, folder, facts, outputs)
    net = TextNet(loaded, model, new, order)
    if model.tune in VIRTUAL_TOKENS:
        try_out(net, model)
    return net


@torch.no_grad()
def try_out(net: TextNet, model: Transformer) -> None:
    """Raise BadInput if the network does not support virtual tokens."""
    tokens = torch.zeros((2, 4), dtype=torch.int64)
    try:
        net.eval()(tokens, tokens == 0)
    except (ValueError, TypeError, RuntimeError, AttributeError) as error:
        first = (str(error).splitlines() or [""])[0][:200]
        raise BadInput(
            f"model.tune: {model.tune} does not go with this network ({first}); use lora"
        ) from error
    net.train()


def _loaded(
    model: Transformer, folder: Path, facts: dict[str, Any], classes: int
) -> tuple[Any, set[str]]:
    def complete(config: Any) -> None:
        if config.pad_token_id is None or reads_last(facts):
            from data.encoding.tokenizer import encoder_of

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
