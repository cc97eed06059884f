"""The command and the YAML that run a recorded study again."""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, SequenceNode
from ruamel.yaml.representer import SafeRepresenter

from conf.loading.introspect import differing, shape_of
from conf.loading.load import SHIPPED, load_study
from conf.loading.validate import validated
from conf.loading.yaml import read_yaml
from conf.runtime.errors import BadInput
from conf.schema.base import Section
from conf.schema.study import Study


def command(study: Study, kept: Path) -> str:
    """The command that runs exactly this study, ready for a shell.

    It names the study, or the file of its name in the working directory, with the overrides that
    make it the one on record; where neither is there, `kept`, the file of the record itself.
    """
    for name in (study.name, f"{study.name}.yaml", str(kept.absolute())):
        try:
            overrides = differences(load_study(name, allow_path=True), study)
            if load_study(name, overrides, allow_path=True) == study:
                return shlex.join(["dense", "run", name, *overrides])
        except BadInput:
            continue
    return shlex.join(["dense", "run", f"{study.name}.yaml"])


def needed(study: Study) -> list[str]:
    """The relative paths that a study reads, which lie in a folder that `DENSE_DATA` names."""
    cases = study.champion.gate.behaviour.file
    weights = getattr(getattr(study.model, "weights", None), "path", None)
    given = (getattr(study.data, "path", None), weights, cases)
    return [path for path in given if path and not Path(path).is_absolute()]


def differences(begun: Study, study: Study) -> list[str]:
    """The overrides that make one study the other."""
    return list(_overrides(begun.model_dump(mode="json"), study.model_dump(mode="json"), ""))


def _overrides(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key in [*now, *(key for key in before if key not in now)]:
        old, new = before.get(key), now.get(key)
        if old == new:
            continue
        free = prefix == "search." and key == "space"  # its keys come and go
        if isinstance(old, dict) and isinstance(new, dict) and (free or old.keys() == new.keys()):
            yield from _overrides(old, new, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}={json.dumps(new)}"


def as_yaml(config: Section) -> str:
    """A whole configuration as YAML, in the order of its sections; a study's can be run."""
    return _yaml(config.model_dump(mode="json"), SafeRepresenter)


def as_study_file(study: Study) -> str:
    """A study as a person writes it: what differs from the base of all studies."""
    path = SHIPPED / "base.yaml"
    settings = read_yaml(path, path.name).value
    assert isinstance(settings, dict)
    base = validated(Study, {**settings, "name": study.name})
    given = differing(study, shape_of(Study), base)
    return _yaml({"extends": "base", "name": study.name, **given}, _OnLines)


class _OnLines(SafeRepresenter):
    """Parts that are short stand on a line of their own; a study's sections always do."""

    def represent_mapping(
        self,
        tag: Any,
        mapping: Any,
        flow_style: bool | None = None,  # noqa: ARG002
    ) -> MappingNode:
        short = "extends" not in mapping and len(json.dumps(mapping)) <= 100
        return super().represent_mapping(tag, mapping, flow_style=short)

    def represent_sequence(
        self,
        tag: Any,
        sequence: Any,
        flow_style: bool | None = None,  # noqa: ARG002
    ) -> SequenceNode:
        return super().represent_sequence(
            tag, sequence, flow_style=len(json.dumps(sequence)) <= 100
        )


def _yaml(plain: Mapping[str, Any], representer: type[SafeRepresenter]) -> str:
    text = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = representer
    yaml.default_flow_style = False
    yaml.width = 120
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(plain, text)
    return text.getvalue()
