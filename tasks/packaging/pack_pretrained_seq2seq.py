"""The served files of a pre-trained text generation model, in the format of `transformers`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from conf.schema.seq2seq import Causal
from data.assets.pretrained import facts_of, home_of, located
from data.encoding.pair_tokenizer import Writer, pair_encoder
from models.pretrained import decoding
from models.pretrained.adapters import VIRTUAL_TOKENS
from models.pretrained.seq2seq import PretrainedSeq2SeqNet

REQUIRED = ("mlflow", "numpy", "pandas", "torch", "safetensors", "tokenizers", "transformers")


def required(model: Writer) -> tuple[str, ...]:
    """Packages that the served model needs."""
    return (*REQUIRED, "peft") if model.tune in VIRTUAL_TOKENS else REQUIRED


def artifacts(net: PretrainedSeq2SeqNet, folder: Path, parts: Path) -> dict[str, Path]:
    """Write the artifacts that `pyfunc_seq2seq` reads.

    Args:
        net: the trained network.
        folder: an empty folder.
        parts: folder of the prepared splits, in the home that holds the pre-trained weights.
    """
    model = net.model
    weights = located(model.weights, home_of(parts), offline=True)
    encoder = pair_encoder(model, weights, facts_of(weights))
    paths = {name: folder / name for name in ("card.json", "tokenizer.json", "network")}
    whole = net.merged()
    if model.tune in VIRTUAL_TOKENS:
        whole.peft_config["default"].base_model_name_or_path = None  # a path on this machine
        whole.save_pretrained(folder / "adapter", safe_serialization=True)
        paths["adapter"], whole = folder / "adapter", whole.get_base_model()
    whole.save_pretrained(paths["network"], safe_serialization=True)
    encoder.source.tokenizer.save(str(paths["tokenizer.json"]))
    facts: Mapping[str, Any] = {
        "auto": "AutoModelForCausalLM" if isinstance(model, Causal) else "AutoModelForSeq2SeqLM",
        "prompt": encoder.prompt,
        "rules": asdict(encoder.source.rules),
        "settings": net.settings,
    }
    paths["card.json"].write_text(json.dumps(facts))
    return {path.stem: path for path in paths.values()} | {"code": Path(decoding.__file__)}
