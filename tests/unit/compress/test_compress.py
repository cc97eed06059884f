"""Which champions the recipes are not for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from conf.runtime.errors import BadInput
from conf.schema.champion import Compress
from conf.schema.study import Study
from tasks.compress.compress import compress
from tasks.registry import aliases


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        pytest.param({"dense.members": '{"0":0.5,"3":0.5}'}, "is an ensemble", id="ensemble"),
        pytest.param({"dense.recipe": "int8"}, "is made small by int8", id="small"),
    ],
)
def test_a_champion_that_is_no_network_as_it_was_trained_is_refused(
    tags: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = SimpleNamespace(name="digits", version="3", tags={"dense.trial": "0", **tags})
    monkeypatch.setattr(aliases, "aliased", lambda client, model: version)
    nobody: Any = None
    record = cast(Any, SimpleNamespace(study=Study(name="digits")))
    with pytest.raises(BadInput, match=rf"version 3 of 'digits', {said}.*`dense rollback digits`"):
        compress(nobody, record, Compress(recipes=("distill",)), nobody)
