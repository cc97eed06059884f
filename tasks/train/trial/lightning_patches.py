"""Patches of Lightning's private functions that shorten the time between two batches.

A small model's batch takes milliseconds, and Lightning adds one more around it: it enters a
profiler for each hook, sets an attribute through `nn.Module.__setattr__`, which checks for
parameters, reads signatures with `inspect`, and compares the names of its states ignoring case.
`install` replaces these functions by faster equivalents, in the version of Lightning that the
patches were checked with (`conf.runtime.patches`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytorch_lightning as pl
from lightning_utilities.core.enums import StrEnum
from pytorch_lightning.loops import evaluation_loop, training_epoch_loop
from pytorch_lightning.profilers import PassThroughProfiler
from pytorch_lightning.trainer import call
from pytorch_lightning.trainer.connectors import callback_connector, data_connector

from conf.runtime.patches import may_patch

CURRENT = "_current_fx_name"
"""The attribute of the module from which `self.log` reads the hook that is running."""

NOTHING = nullcontext()

_all_callback_hooks = call._call_callback_hooks
_equal = StrEnum.__eq__


class NoProfiler(PassThroughProfiler):
    """A profiler without the generator that Lightning's enters a hundred times a step."""

    def profile(  # type: ignore[override]  # any context manager will do
        self, action_name: str
    ) -> AbstractContextManager[None]:
        """Measure nothing."""
        return NOTHING


def install() -> None:
    """Replace Lightning's functions; a second call changes nothing.

    With another version of Lightning its own functions stay, and the trial's log has a warning:
    trials are slower, results are the same.
    """
    version: str = pl.__version__  # type: ignore[attr-defined]
    if not may_patch("pytorch-lightning", version, "trials train a little slower"):
        return
    # a trial has its own callbacks: those that other installed packages offer are not looked up
    setattr(callback_connector, "_load_external_callbacks", lambda group: [])  # noqa: ARG005, B010
    call._call_callback_hooks = callback_hooks
    call._call_lightning_module_hook = module_hook
    call._call_strategy_hook = strategy_hook
    StrEnum.__eq__ = equal  # type: ignore[method-assign]
    for module, name in (
        (training_epoch_loop, "is_param_in_hook_signature"),
        (evaluation_loop, "is_param_in_hook_signature"),
        (data_connector, "is_overridden"),
    ):
        remember(module, name)


def remember(module: Any, name: str) -> None:
    """Cache a function that inspects code, whose result does not change."""
    ask = getattr(module, name)
    if not hasattr(ask, "cache_info"):
        setattr(module, name, functools.lru_cache(maxsize=256)(ask))


def callback_hooks(trainer: pl.Trainer, hook_name: str, *args: Any, **kwargs: Any) -> None:
    """Call a hook of every callback."""
    module = trainer.lightning_module
    if kwargs or module is None:  # at the ends of epochs, and of the whole
        _all_callback_hooks(trainer, hook_name, *args, **kwargs)
        return

    def each() -> None:
        for callback in trainer.callbacks:  # type: ignore[attr-defined]  # set by a connector
            getattr(callback, hook_name)(trainer, module, *args)

    _named(module, hook_name, each)


def module_hook(
    trainer: pl.Trainer,
    hook_name: str,
    *args: Any,
    pl_module: pl.LightningModule | None = None,
    **kwargs: Any,
) -> Any:
    """Call a hook of the model."""
    module = pl_module or trainer.lightning_module
    hook = getattr(module, hook_name)
    return _named(module, hook_name, hook, *args, **kwargs) if callable(hook) else None


def strategy_hook(trainer: pl.Trainer, hook_name: str, *args: Any, **kwargs: Any) -> Any:
    """Call a hook of the strategy."""
    hook = getattr(trainer.strategy, hook_name)
    return _named(trainer.lightning_module, hook_name, hook, *args, **kwargs)


def _named(
    module: pl.LightningModule, hook_name: str, hook: Callable[..., Any], *args: Any, **kwargs: Any
) -> Any:
    """Call a hook while the module's `CURRENT` holds its name."""
    state = module.__dict__
    before, state[CURRENT] = state[CURRENT], hook_name
    result = hook(*args, **kwargs)
    state[CURRENT] = before
    return result


def equal(self: StrEnum, other: object) -> bool:
    """Equality ignoring case; two members of one enum are compared by identity."""
    if type(self) is type(other):
        return self is other
    return _equal(self, other)
