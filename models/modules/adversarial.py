"""Adversarial training: the loss of a batch, and of the batch perturbed along the gradient (FGM,
FGSM)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol, cast

import torch
from torch import Tensor, nn

Loss = Callable[[Tensor, Mapping[str, Tensor]], Tensor]


class EmbeddingNet(Protocol):
    """A network of texts whose token embeddings can be perturbed."""

    def embeddings(self) -> nn.Module:
        """The layer of the token embeddings."""

    def __call__(self, x: Tensor, mask: Tensor) -> Tensor:
        """Logits of tokens, shape (n, outputs)."""


def adversarial_losses(
    net: nn.Module, batch: Mapping[str, Tensor], epsilon: float, loss: Loss
) -> tuple[Tensor, Tensor]:
    """Loss of a batch, and of the batch perturbed by `epsilon`.

    Texts are perturbed in their token embeddings, each text by a step of norm `epsilon` along
    its gradient (FGM, Miyato et al. 2017, arXiv:1605.07725); images and tables by `epsilon` in
    every value, with the sign of the gradient (FGSM, Goodfellow et al. 2015, arXiv:1412.6572). The
    perturbation of a row depends on that row alone, so that micro-batches give the same result.
    """
    if "mask" in batch:
        return _adversarial_text_losses(cast(EmbeddingNet, net), batch, epsilon, loss)
    x = batch["x"].detach().requires_grad_()
    plain = loss(net(x), batch)
    (gradient,) = torch.autograd.grad(plain, x, retain_graph=True)
    return plain, loss(net((x + epsilon * gradient.sign()).detach()), batch)


def _adversarial_text_losses(
    net: EmbeddingNet, batch: Mapping[str, Tensor], epsilon: float, loss: Loss
) -> tuple[Tensor, Tensor]:
    layer, x, mask = net.embeddings(), batch["x"], batch["mask"]
    with _watched(layer) as seen:
        plain = loss(net(x, mask), batch)
    (gradient,) = torch.autograd.grad(plain, seen[0], retain_graph=True)
    gradient = gradient * mask.unsqueeze(-1)
    length = gradient.flatten(1).norm(dim=1).clamp(min=1e-12)
    with _shifted(layer, epsilon * gradient / length.view(-1, 1, 1)):
        worst = loss(net(x, mask), batch)
    return plain, worst


@contextmanager
def _watched(layer: nn.Module) -> Iterator[list[Tensor]]:
    """Record the output of a layer with a gradient, even if the layer is frozen."""
    seen: list[Tensor] = []

    def note(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        given = output if output.requires_grad else output.detach().requires_grad_()
        seen.append(given)
        return given

    handle = layer.register_forward_hook(note)
    try:
        yield seen
    finally:
        handle.remove()


@contextmanager
def _shifted(layer: nn.Module, by: Tensor) -> Iterator[None]:
    """Add a perturbation to the output of a layer."""
    handle = layer.register_forward_hook(lambda _module, _inputs, output: output + by.detach())
    try:
        yield
    finally:
        handle.remove()
