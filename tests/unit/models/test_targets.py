"""Any number of labels a row, and a second answer: losses, weights, and what is predicted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from torch.nn import functional

from conf.schema.augment import Oversample
from conf.schema.study import TrialConfig
from conf.schema.train import Train
from data.transforms.mixup import Mixer
from models.build import build
from models.networks.targets import ClassTarget, LabelTarget, target_of
from models.serving import Serving
from tests.cards import as_card

CARD = {
    "task": "multilabel",
    "classes": ["a", "b"],
    "rows": {"train": 8},
    "counts": {"train": {"a": 2, "b": 4}},
    "inputs": {"kind": "table", "features": 3, "shift": [0.0] * 3, "scale": [1.0] * 3},
}
CONFIG = TrialConfig.model_validate({"model": {"kind": "mlp", "width": 4}})


def test_the_loss_is_the_mean_log_loss_of_the_labels() -> None:
    said, target = torch.randn(20, 2), (torch.rand(20, 2) < 0.5).float()
    chances = torch.sigmoid(said).double().numpy()
    wanted = np.mean([log_loss(target[:, k], chances[:, k], labels=[0, 1]) for k in range(2)])
    assert float(LabelTarget().loss(said, {"y": target})) == pytest.approx(wanted, rel=1e-5)


def test_balanced_weights_make_having_a_label_weigh_as_much_as_having_it_not() -> None:
    answer = target_of(as_card(CARD), Train(class_weights="balanced"))
    assert isinstance(answer, LabelTarget) and answer.positive is not None
    assert answer.positive.tolist() == [3.0, 1.0]


@pytest.mark.parametrize(("share", "weights"), [(1.0, [1.0, 1.0]), (0.5, [1.5, 0.75])])
def test_class_weights_count_rows_as_they_are_sampled(share: float, weights: list[float]) -> None:
    card = as_card(CARD | {"task": "classification", "counts": {"train": {"a": 1, "b": 8}}})
    target = target_of(card, Train(class_weights="balanced"), Oversample(share=share))
    assert isinstance(target, ClassTarget) and target.weights is not None
    assert target.weights.tolist() == pytest.approx(weights)


def test_it_predicts_and_is_served_by_sigmoids() -> None:
    module = build(CONFIG, as_card(CARD), 10)
    batch = {"id": torch.arange(4), "x": torch.randn(4, 3), "y": torch.zeros(4, 2)}
    found = module.eval().predict_step(batch, 0)["probabilities"]
    torch.testing.assert_close(found, torch.sigmoid(module.net(batch["x"])))
    torch.testing.assert_close(
        Serving(module.net, as_card(CARD).inputs, as_card(CARD))(batch["x"]), found
    )


@pytest.mark.parametrize("card", [CARD, {**CARD, "task": "classification"}], ids=["all", "one"])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=str)
def test_a_batch_of_one_label_is_learnt_from_in_float32(card: Any, precision: torch.dtype) -> None:
    answer = target_of(as_card(card), Train(class_weights="balanced"))
    said = torch.randn(3, 2, dtype=precision, requires_grad=True)
    y = torch.ones((3, 2)) if card is CARD else torch.ones(3, dtype=torch.int64)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == torch.bfloat16):
        loss = answer.loss(said, {"y": y})
    loss.backward()
    assert loss.dtype == torch.float32 and said.grad is not None
    assert bool(torch.isfinite(said.grad).all()) and float(said.grad.abs().sum()) > 0


def test_blended_rows_have_blended_labels() -> None:
    mixer = Mixer(CONFIG.augment.model_validate({"mixup": {"alpha": 0.4}}), 2, 0)
    x, y = np.eye(4, dtype=np.float32), np.array([[1, 1], [0, 0], [1, 0], [0, 1]], np.float32)
    mixed, labels = mixer(x, y, 0, 0)
    np.testing.assert_allclose(labels, mixed @ y, atol=1e-6)


def test_an_auxiliary_target_has_its_own_outputs_and_loss_weight() -> None:
    number = {"name": "far", "classes": [], "target": {"mean": 5.0, "deviation": 2.0}}
    card = as_card({**CARD, "task": "classification", "second": number})
    module = build(CONFIG.model_copy(update={"train": Train(second_weight=0.25)}), card, 10).eval()
    batch = {"id": torch.arange(4), "x": torch.randn(4, 3), "y": torch.tensor([0, 1, 1, 0])}
    batch["second"] = torch.tensor([1.0, 5.0, 7.0, 9.0])
    said = module.net(batch["x"])
    assert said.shape == (4, 3)
    wanted = functional.cross_entropy(said[:, :2], batch["y"])
    wanted = wanted + 0.25 * functional.mse_loss(said[:, 2], (batch["second"] - 5.0) / 2.0)
    torch.testing.assert_close(module.training_step(batch, 0), wanted)
    found = module.predict_step(batch, 0)
    torch.testing.assert_close(found["far/prediction"], said[:, 2] * 2.0 + 5.0)
    served = Serving(module.net, card.inputs, card)(batch["x"])
    torch.testing.assert_close(served[:, :2], found["probabilities"])
    torch.testing.assert_close(served[:, 2], found["far/prediction"])
