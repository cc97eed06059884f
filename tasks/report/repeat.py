"""What it takes to run a study again: command, seeds, versions, machine."""

from __future__ import annotations

import io
import os
import platform
import shlex
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ruamel.yaml import YAML

from conf.section import Section

PACKAGES = (
    "dense", "torch", "pytorch-lightning", "scikit-optimize", "scikit-learn", "numpy",
    "albumentations", "mlflow", "prefect",
)  # fmt: skip


def command(study: str, overrides: Sequence[str] = ()) -> str:
    """The command that runs a study, ready for a shell."""
    return shlex.join(["dense", "run", study, *overrides])


def versions() -> dict[str, str]:
    """Installed versions of what a result can depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine() -> str:
    """The machine in a few words."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count() or 1} cores"


def as_yaml(config: Section) -> str:
    """A whole configuration as YAML, in the order of its sections; a study's can be run."""
    text = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    plain: dict[str, Any] = config.model_dump(mode="json")
    yaml.dump(plain, text)
    return text.getvalue()
