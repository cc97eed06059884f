"""A student that learns what its teacher says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from conf.runtime.errors import BadInput
from conf.schema.model import Mlp
from conf.schema.study import TrialConfig
from data.encoding.tokenizer import Encoder, Rules
from models.build import build
from models.modules.predictor import PredictorModule
from tasks.train.folder import TrialFolder
from tasks.train.spec import TrialSpec
from tasks.train.trial.distillation import Distillation
from tests.cards import as_card

INPUTS = {"kind": "table", "features": 3, "shift": [0.0] * 3, "scale": [1.0] * 3}
CARDS: dict[str, dict[str, Any]] = {
    "classes": {"classes": ["a", "b", "c"], "inputs": INPUTS},
    "labels": {
        "task": "multilabel",
        "classes": ["a", "b", "c"],
        "rows": {"train": 8},
        "counts": {"train": {"a": 2, "b": 4, "c": 4}},
        "inputs": INPUTS,
    },
    "numbers": {"classes": [], "target": {"mean": 5.0, "deviation": 3.0}, "inputs": INPUTS},
}
TARGETS: dict[str, Callable[[int], torch.Tensor]] = {
    "classes": lambda rows: torch.zeros(rows, dtype=torch.int64),
    "labels": lambda rows: torch.zeros(rows, 3),
    "numbers": lambda rows: torch.zeros(rows),
}
CONFIG = TrialConfig.model_validate({"model": {"kind": "mlp", "width": 8, "dropout": 0.5}})


def spec_of(folder: Path, **fields: Any) -> TrialSpec:
    given = {
        "study": "study",
        "number": 0,
        "digest": "d" * 64,
        "config": CONFIG,
        "seed": 1,
        "until": 1,
        "train": str(folder / "parts" / "train"),
        "validation": None,
        "card": "card.json",
    }
    return TrialSpec.model_validate({**given, **fields})


def taught_by_itself(
    kind: str, folder: Path, temperature: float
) -> tuple[PredictorModule, dict[str, Any]]:
    """A student with the teacher's own weights, and a batch that the teacher has answered."""
    torch.manual_seed(0)
    module = build(CONFIG, as_card(CARDS[kind]), 10).eval()
    assert isinstance(module, PredictorModule)
    spec_of(folder).write(folder)
    TrialFolder(folder).checkpoints.mkdir()
    save_file(dict(module.inference_state()), TrialFolder(folder).weights)
    taught = Distillation.by(
        folder, module, spec_of(folder, temperature=temperature), as_card(CARDS[kind])
    )
    batch = {"id": torch.arange(6), "x": torch.randn(6, 3), "y": TARGETS[kind](6)}
    taught.on_train_batch_start(None, module, batch, 0)
    return module, batch


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("kind", CARDS)
def test_who_says_what_the_teacher_says_has_nothing_to_learn(
    kind: str, temperature: float, tmp_path: Path
) -> None:
    module, batch = taught_by_itself(kind, tmp_path, temperature)
    module.training_step(batch, 0).backward()
    gradients = [each.grad for each in module.net.parameters() if each.grad is not None]
    assert gradients and max(float(each.abs().max()) for each in gradients) < 1e-6
    with torch.no_grad():
        module.net[-1].bias[0] += 1.0  # type: ignore[index]
    module.zero_grad()
    module.training_step(batch, 0).backward()
    assert float(module.net[-1].bias.grad.abs().max()) > 0.01  # type: ignore[index]


def test_a_temperature_softens_classes_and_leaves_numbers(tmp_path: Path) -> None:
    said = {}
    for kind in CARDS:
        for temperature in (1.0, 4.0):
            folder = tmp_path / f"{kind}-{temperature}"
            folder.mkdir()
            said[kind, temperature] = taught_by_itself(kind, folder, temperature)[1]["y"]
    assert torch.equal(said["numbers", 1.0], said["numbers", 4.0])
    assert said["numbers", 1.0].shape == (6,)
    torch.testing.assert_close(said["classes", 4.0].sum(1), torch.ones(6))
    cold, warm = said["classes", 1.0].log(), said["classes", 4.0].log()
    torch.testing.assert_close(cold[:, 0] - cold[:, 1], 4 * (warm[:, 0] - warm[:, 1]))
    torch.testing.assert_close(said["labels", 1.0].logit(), 4 * said["labels", 4.0].logit())


def test_texts_in_other_tokens_cannot_be_taught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encoder(config: TrialConfig, parts: Path) -> Encoder:
        assert isinstance(config.model, Mlp)
        return Encoder(Tokenizer(WordLevel({"a": 0})), Rules((), (), 0, config.model.width, "end"))

    monkeypatch.setattr("tasks.train.trial.distillation.encoding_of", encoder)
    spec_of(tmp_path).write(tmp_path)
    nobody: Any = None
    wider = TrialConfig.model_validate({"model": {"kind": "mlp", "width": 9}})
    with pytest.raises(BadInput, match="read texts in the same tokens"):
        Distillation.by(tmp_path, nobody, spec_of(tmp_path, config=wider), {})
