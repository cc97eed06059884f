"""Patched Lightning trains as before, and an unknown version of Lightning is left alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loops import evaluation_loop, training_epoch_loop
from pytorch_lightning.trainer import call
from pytorch_lightning.trainer.connectors import callback_connector, data_connector
from pytorch_lightning.trainer.states import RunningStage, TrainerFn
from torch.utils.data import DataLoader

from conf.runtime.patches import CHECKED_WITH
from tasks.train.trial import lightning_patches


class Seen(pl.Callback):
    """Notes every hook that says what happens around batches, and whose name the module knows."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str | None]] = []

    def _note(self, name: str, module: pl.LightningModule) -> None:
        self.calls.append((name, module._current_fx_name))

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self._note("batch start", pl_module)

    def on_before_zero_grad(self, trainer, pl_module, optimizer):
        self._note("zero grad", pl_module)

    def on_after_backward(self, trainer, pl_module):
        self._note("backward", pl_module)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self._note(f"batch end {float(outputs['loss']):.6f}", pl_module)

    def on_validation_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self._note(f"validation {float(outputs):.6f}", pl_module)

    def on_train_epoch_end(self, trainer, pl_module):
        logged = {name: round(float(value), 6) for name, value in trainer.callback_metrics.items()}
        self._note(f"epoch end {logged}", pl_module)


class Logs(pl.LightningModule):
    """A module that logs, and has hooks of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.net = torch.nn.Linear(3, 2)
        self.hooks: list[str] = []

    def training_step(self, batch, batch_idx):
        loss = self.net(batch).square().mean()
        self.log("train/own", loss, on_step=False, on_epoch=True, batch_size=len(batch))
        return loss

    def validation_step(self, batch, batch_idx):
        value = self.net(batch).mean()
        self.log("val/own", value, batch_size=len(batch))
        return value

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.hooks.append("train batch end")

    def on_before_batch_transfer(self, batch, dataloader_idx):
        self.hooks.append("before transfer")
        return batch

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=0.01)


@pytest.fixture(autouse=True)
def _restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lightning as it was, after each test."""
    for name in ("_call_callback_hooks", "_call_lightning_module_hook", "_call_strategy_hook"):
        monkeypatch.setattr(call, name, getattr(call, name))
    monkeypatch.setattr(lightning_patches.StrEnum, "__eq__", lightning_patches.StrEnum.__eq__)
    for module in (training_epoch_loop, evaluation_loop):
        name = "is_param_in_hook_signature"
        monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setattr(data_connector, "is_overridden", data_connector.is_overridden)
    external = callback_connector._load_external_callbacks
    monkeypatch.setattr(callback_connector, "_load_external_callbacks", external)
    yield


def trained() -> tuple[list[tuple[str, str | None]], list[str], list[torch.Tensor]]:
    """What was seen of a short training, and what came of it."""
    torch.manual_seed(0)
    module, seen = Logs(), Seen()
    rows = DataLoader(torch.randn(20, 3), batch_size=4)
    trainer = pl.Trainer(
        max_epochs=2,
        accelerator="cpu",
        callbacks=[seen],
        accumulate_grad_batches=2,
        logger=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(module, rows, rows)
    return seen.calls, module.hooks, [p.detach().clone() for p in module.parameters()]


def test_the_patched_loop_calls_the_same_hooks_and_learns_the_same() -> None:
    calls, hooks, weights = trained()
    lightning_patches.install()
    lightning_patches.install()
    lean_calls, lean_hooks, lean_weights = trained()
    assert call._call_callback_hooks is lightning_patches.callback_hooks
    assert lean_calls == calls
    assert lean_hooks == hooks
    assert all(torch.equal(one, other) for one, other in zip(lean_weights, weights, strict=True))
    assert any("train/own" in name and "val/own" in name for name, _ in calls)


def test_patched_states_compare_as_before() -> None:
    pairs = [(a, b) for a in (*TrainerFn, *RunningStage, "FIT", "fit", 3) for b in TrainerFn]
    before = [a == b for a, b in pairs]
    lightning_patches.install()
    assert [a == b for a, b in pairs] == before
    assert before.count(True) > len(TrainerFn)


def patched() -> list[object]:
    """The functions of Lightning that `install` replaces, as they stand."""
    return [
        call._call_callback_hooks,
        call._call_lightning_module_hook,
        call._call_strategy_hook,
        lightning_patches.StrEnum.__eq__,
        training_epoch_loop.is_param_in_hook_signature,
        evaluation_loop.is_param_in_hook_signature,
        data_connector.is_overridden,
        callback_connector._load_external_callbacks,
    ]


def test_another_version_of_lightning_keeps_its_own_functions_and_warns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = patched()
    monkeypatch.setattr(pl, "__version__", "2.6.7")
    lightning_patches.install()
    assert patched() == own
    warning = capsys.readouterr().err
    assert "pytorch-lightning 2.6.7 is not patched" in warning
    assert f"checked with pytorch-lightning {CHECKED_WITH['pytorch-lightning']}" in warning
