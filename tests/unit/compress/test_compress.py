"""Champions that cannot be compressed."""

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
    ("tags", "message"),
    [
        pytest.param({"dense.members": '{"0":0.5,"3":0.5}'}, "is an ensemble", id="ensemble"),
        pytest.param({"dense.recipe": "int8"}, "is compressed with int8", id="small"),
    ],
)
def test_ensembles_and_compressed_champions_are_refused(
    tags: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = SimpleNamespace(name="digits", version="3", tags={"dense.trial": "0", **tags})
    monkeypatch.setattr(aliases, "aliased", lambda client, model: version)
    unused: Any = None
    record = cast(Any, SimpleNamespace(study=Study(name="digits")))
    with pytest.raises(
        BadInput, match=rf"version 3 of 'digits', {message}.*`dense rollback digits`"
    ):
        compress(unused, record, Compress(recipes=("distill",)), unused)
