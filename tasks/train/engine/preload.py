"""What the trial server imports ahead for the models of a study: only a study that needs a library
waits for it, and none of its trials does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.model import Model
from conf.schema.pretrained import PackageWeights, Pretrained

ARCHITECTURE = re.compile(r"^[a-z0-9][a-z0-9_]*$")


def modules_of(model: Model, home: Home) -> tuple[str, ...]:
    """Names of the modules that a trial of this model imports beside those of every trial."""
    own = _architecture(model, home) if isinstance(model, Pretrained) else ()
    return (*model.capabilities.preload, *own)


def _architecture(model: Pretrained, home: Home) -> Iterator[str]:
    """The module of the network, where its weights are there already."""
    from data.assets.pretrained import CONFIG, is_there, located

    if isinstance(model.weights, PackageWeights) and not is_there(model.weights, home):
        return
    try:
        folder = located(model.weights, home, offline=True)
        found = json.loads((folder / CONFIG).read_bytes())["model_type"]
    except (BadInput, OSError, ValueError, LookupError):
        return  # the trial says what is wrong with them
    name = str(found).replace("-", "_")
    if ARCHITECTURE.match(name):
        yield f"transformers.models.{name}.modeling_{name}"
