"""Structured pruning: which networks can be narrowed, and which weights remain."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from conf.runtime.errors import BadInput
from conf.schema.champion import Compress
from conf.schema.model import Cnn, Mlp
from conf.schema.study import TrialConfig
from models.networks.cnn import CnnNet
from models.networks.mlp import mlp_net
from models.networks.width_pruning import fitted
from tasks.compress.narrow import narrow_config
from tests.cards import as_card, as_inputs

TABLE: Any = SimpleNamespace(card=as_card({"inputs": {"kind": "table"}}))


def of(**model: Any) -> TrialConfig:
    return TrialConfig.model_validate({"model": model})


@pytest.mark.parametrize(
    ("model", "keep", "width"),
    [
        pytest.param({"kind": "mlp", "width": 64}, 0.25, 16, id="mlp"),
        pytest.param({"kind": "cnn", "width": 9}, 0.5, 4, id="cnn"),
        pytest.param({"kind": "cnn", "width": 12}, 0.1, 4, id="least"),
    ],
)
def test_the_width_is_reduced_to_the_share_of_keep(
    model: dict[str, Any], keep: float, width: int
) -> None:
    config = of(**model)
    found = narrow_config(config, TABLE, Compress(keep=keep))
    assert found.model.width == width  # type: ignore[union-attr]
    assert found.model_copy(update={"model": config.model}) == config


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        pytest.param({"kind": "cnn", "width": 4}, "leaves 4 as it is", id="least"),
        pytest.param({"kind": "mlp", "depth": 0}, "is an mlp without", id="no hidden layer"),
        pytest.param({"kind": "head"}, "this champion is a head", id="another kind"),
        pytest.param({"kind": "knn"}, "this champion is a knn", id="no network"),
    ],
)
def test_models_that_cannot_be_narrowed_are_refused(model: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        narrow_config(of(**model), TABLE, Compress())


def test_removing_dead_units_does_not_change_the_predictions() -> None:
    inputs: Any = as_inputs({"kind": "table", "features": 5})
    wide, narrow = (
        mlp_net(Mlp(width=width, depth=6, norm=False, dropout=0.0), inputs, 3) for width in (12, 4)
    )
    with torch.no_grad():
        for number, layer in enumerate(wide[1:-1:3]):
            dead = [unit for unit in range(12) if unit % 3 != number % 3]
            layer.weight[dead] = layer.bias[dead] = 0.0
    narrow.load_state_dict(fitted(wide.state_dict(), narrow.state_dict()))
    rows = torch.randn(7, 5)
    assert torch.allclose(narrow(rows), wide(rows), atol=1e-6)


def test_the_channels_with_the_largest_norms_stay_with_the_weights_that_read_them() -> None:
    wide, narrow = (CnnNet(Cnn(width=width), 1, 8, 8, 10) for width in (8, 4))
    found = fitted(wide.state_dict(), narrow.state_dict())
    narrow.load_state_dict(found)

    def strongest(name: str, count: int) -> torch.Tensor:
        return wide.get_parameter(name).flatten(1).norm(dim=1).topk(count).indices.sort().values

    first, second = strongest("features.0.0.weight", 4), strongest("features.2.0.weight", 8)
    assert torch.equal(found["features.0.1.bias"], wide.features[0][1].bias[first])
    whole = wide.features[2][0].weight
    assert torch.equal(found["features.2.0.weight"], whole[second][:, first])
    by_channel = wide.head[2].weight.unflatten(1, (16, -1))
    assert torch.equal(found["head.2.weight"].unflatten(1, (8, -1)), by_channel[:, second])
    assert torch.equal(found["head.2.bias"], wide.head[2].bias)
