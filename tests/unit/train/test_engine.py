"""Both engines have the whole interface, and document what they do otherwise."""

from __future__ import annotations

import inspect

import pytest

from tasks.train.engine.engine import Engine
from tasks.train.engine.local import LocalEngine
from tasks.train.ray.engine import RayEngine


@pytest.mark.parametrize("engine", [LocalEngine, RayEngine])
def test_an_engine_has_every_method_of_the_interface_with_its_parameters(
    engine: type[Engine],
) -> None:
    assert not inspect.isabstract(engine)
    for name in Engine.__abstractmethods__:
        expected = getattr(Engine, name)
        if callable(expected):
            assert inspect.signature(getattr(engine, name)) == inspect.signature(expected), name
        else:
            assert isinstance(getattr(engine, name), property), name
