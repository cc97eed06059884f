"""Any number of labels a row: the loss, its weights, and what is predicted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from torch import nn

from conf.study import TrialConfig
from conf.train import Train
from data.mix import Mixer
from models.build import build
from models.labeller import Labeller
from models.serving import Serving

CARD = {
    "task": "multilabel",
    "classes": ["a", "b"],
    "rows": {"train": 8},
    "counts": {"train": {"a": 2, "b": 4}},
    "inputs": {"kind": "table", "features": 3, "shift": [0.0] * 3, "scale": [1.0] * 3},
}
CONFIG = TrialConfig.model_validate({"model": {"kind": "mlp", "width": 4}})


def test_the_loss_is_the_mean_log_loss_of_the_labels() -> None:
    module = Labeller(nn.Identity(), Train(), 10, [2, 4], 8)
    said, target = torch.randn(20, 2), (torch.rand(20, 2) < 0.5).float()
    chances = torch.sigmoid(said).double().numpy()
    wanted = np.mean([log_loss(target[:, k], chances[:, k], labels=[0, 1]) for k in range(2)])
    assert float(module.loss(said, target)) == pytest.approx(wanted, rel=1e-5)


def test_balanced_weights_make_having_a_label_weigh_as_much_as_having_it_not() -> None:
    module = Labeller(nn.Identity(), Train(class_weights="balanced"), 10, [2, 4], 8)
    assert module.positive is not None and module.positive.tolist() == [3.0, 1.0]


def test_it_predicts_and_is_served_by_sigmoids() -> None:
    module = build(CONFIG, CARD, 10)
    assert isinstance(module, Labeller)
    batch = {"id": torch.arange(4), "x": torch.randn(4, 3), "y": torch.zeros(4, 2)}
    found = module.eval().predict_step(batch, 0)["probabilities"]
    torch.testing.assert_close(found, torch.sigmoid(module.net(batch["x"])))
    torch.testing.assert_close(Serving(module.net, CARD["inputs"], CARD)(batch["x"]), found)


def test_blended_rows_have_blended_labels() -> None:
    mixer = Mixer(CONFIG.augment.model_validate({"mixup": {"alpha": 0.4}}), 2, 0)
    x, y = np.eye(4, dtype=np.float32), np.array([[1, 1], [0, 0], [1, 0], [0, 1]], np.float32)
    mixed, labels = mixer(x, y, 0, 0)
    np.testing.assert_allclose(labels, mixed @ y, atol=1e-6)
