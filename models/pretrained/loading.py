"""Load networks of `transformers`, and prepare them for fine-tuning."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from conf.runtime.errors import BadInput
from conf.schema.model import capable_kinds
from conf.schema.pretrained import PretrainedClassifier, Transformer, Vision
from models.pretrained.adapters import ADAPTERS, with_adapters
from models.pretrained.freezing import freeze

NUMBERED = re.compile(r"\.\d+\.")
"""Pattern in the name of a weight that belongs to one of many layers."""


def silence_transformers() -> None:
    """Keep loading reports of the library out of a trial's log; errors stay."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def load_classifier(
    auto: str,
    folder: Path,
    model: Transformer | Vision,
    classes: int,
    *,
    of: str,
    form: str,
    complete: Callable[[Any], None] | None = None,
) -> tuple[Any, set[str]]:
    """A classifier of `transformers`, with its own head or a new one, and the names of newly
    initialised weights.

    Args:
        auto: name of the library's auto class.
        folder: files of the weights.
        model: settings.
        classes: number of outputs.
        of: what it classifies, in the plural, for messages.
        form: the library's name of the task, for messages.
        complete: fills gaps in the configuration.

    Raises:
        BadInput: the architecture has no such head, or the files cannot be read or do not fit.
    """
    import transformers

    silence_transformers()
    try:
        config = transformers.AutoConfig.from_pretrained(
            folder, local_files_only=True, num_labels=classes
        )
        set_dropout(config, model.dropout)
        if complete is not None:
            complete(config)
        net, told = getattr(transformers, auto).from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            **LOADING_INFO,
        )
    except (ValueError, OSError, RuntimeError, KeyError) as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise BadInput(
            f"model.weights: {folder} cannot be loaded to classify {of} ({reason}); choose a "
            f"model of an architecture that has {'an' if form[0] in 'aeiou' else 'a'} {form} form"
        ) from error
    if model.head == "new":
        begin_head(net)
    return net, newly_initialised(told, folder, prefix_of(net))


LOADING_INFO = {"output_loading_info": True, "ignore_mismatched_sizes": True}
"""What lets the library say how it has loaded weights, and leave it to `drawn` to judge."""


def newly_initialised(told: Mapping[str, Any], folder: Path, below: str = "") -> set[str]:
    """Names of weights that are not in the files: a new head, a pooler.

    Args:
        told: loading info of the library.
        folder: the files.
        below: prefix of all names below the head.

    Raises:
        BadInput: whole layers are missing, or a weight below the head has another shape.
    """
    missing, other = set(told["missing_keys"]), {name for name, *_ in told["mismatched_keys"]}
    layers = {name for name in missing if NUMBERED.search(name) and "crossattention" not in name}
    if lacking := sorted(name for name in layers | other if name.startswith(below)):
        raise BadInput(
            f"model.weights: the weights in {folder} are of another architecture than its "
            f"config.json says ({len(lacking)} of its weights are not among them or have another "
            f"shape, such as {lacking[0]}); save both together with save_pretrained"
        )
    return missing | other


def set_dropout(config: Any, dropout: float | None) -> None:
    """Set every kind of dropout of the architecture's configuration."""
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


def output_order(order: Sequence[int] | None) -> torch.Tensor | None:
    """The order of a kept head's outputs as int64[classes]; None if it changes nothing."""
    if order is None or list(order) == sorted(order):
        return None
    return torch.tensor(order)


def begin_head(net: Any) -> None:
    """Initialise everything outside the model below the head anew."""
    below = prefix_of(net)[:-1]
    for name, head in net.named_children():
        for each in head.modules() if name != below else ():
            reset = getattr(each, "reset_parameters", None)
            if reset is not None:
                reset()


def prefix_of(net: Any) -> str:
    """Prefix of the names of everything below the head of a classifier."""
    named = net.base_model_prefix
    if not hasattr(net, named):
        sizes = {name: sum(p.numel() for p in m.parameters()) for name, m in net.named_children()}
        named = max(sizes, key=lambda name: sizes[name])
    return f"{named}."


def tuned(net: Any, prefix: str, model: PretrainedClassifier, new: Collection[str]) -> Any:
    """The classifier prepared for fine-tuning. New weights are always trained: random frozen
    weights would spoil all that depends on them.

    Args:
        net: the network.
        prefix: prefix of all names below the head.
        model: settings.
        new: names of newly initialised weights.

    Raises:
        BadInput: as `with_adapters` and `freeze`.
    """
    heads = {name for name, _ in net.named_parameters() if not name.startswith(prefix)}
    if model.tune in ADAPTERS:
        return with_adapters(net, model, heads | set(new), "SEQ_CLS")
    freeze(net, prefix, model)
    for name, parameter in net.named_parameters():
        if name in heads or name in new:
            parameter.requires_grad_(True)
    return net


def enable_gradient_checkpointing(net: nn.Module) -> None:
    """Enable gradient checkpointing: each layer keeps only its input and computes the rest again
    in the backward pass, which saves memory for time and changes no value, dropout included.

    Raises:
        BadInput: the network has no layers that support it.
    """
    from transformers import PreTrainedModel

    for module in net.modules():
        if isinstance(module, PreTrainedModel) and module.supports_gradient_checkpointing:
            module.activation_checkpointing_enable({"use_reentrant": False})
            return
    kinds = capable_kinds(lambda row: row.recomputes)
    raise BadInput(
        "train.gradient_checkpointing: goes with pre-trained networks whose layers can be computed "
        f"again (model.kind: {' or '.join(kinds)}); leave it out"
    )
