from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from conf.runtime.errors import BadInput
from conf.schema.train import Train
from models.modules.predictor import PredictorModule
from tasks.train.trial.pruning import WeightMasks, masks_of


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 4)
    )


@pytest.mark.parametrize("sparsity", [0.3, 0.9])
def test_the_smallest_weights_of_all_large_layers_go(sparsity: float) -> None:
    whole = net()
    with torch.no_grad():
        whole[2].weight *= 10  # larger ones stay, wherever they are
    before = {name: value.clone() for name, value in whole.named_parameters()}
    masks = masks_of(whole, sparsity)
    assert masks.keys() == {"0.weight", "2.weight"}  # the last layer is too small to be worth it
    kept = torch.cat([mask.flatten() for mask in masks.values()])
    values = torch.cat([before[name].abs().flatten() for name in masks])
    assert kept.float().mean().item() == pytest.approx(1 - sparsity, abs=0.01)
    assert values[kept].min() >= values[~kept].max()
    assert masks["2.weight"].float().mean() > masks["0.weight"].float().mean()
    for name, value in whole.named_parameters():
        assert torch.equal(value, before[name]), name


def test_a_small_network_is_not_pruned() -> None:
    with pytest.raises(BadInput, match="nothing worth pruning"):
        masks_of(nn.Linear(4, 4), 0.5)


@pytest.mark.parametrize("average", ["none", "ema"])
def test_a_training_begins_from_them_and_keeps_them_at_zero(average: str, tmp_path: Path) -> None:
    trained = net()
    weights = tmp_path / "weights.safetensors"
    save_file({f"net.{name}": value for name, value in trained.state_dict().items()}, weights)
    torch.manual_seed(1)
    fresh = nn.Sequential(
        nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 4)
    )
    module = PredictorModule(fresh, Train.model_validate({"average": average}), total_steps=10)
    sparse = WeightMasks.begin(module, weights, 0.5)
    mask = masks_of(trained, 0.5)["0.weight"]
    assert torch.equal(module.net[0].weight, trained[0].weight * mask)
    assert torch.equal(module.net[4].weight, trained[4].weight)
    optimizer = torch.optim.SGD(module.net.parameters(), lr=0.1)
    module.net(torch.randn(8, 32)).square().sum().backward()
    optimizer.step()
    if module.average is not None:
        module.average.update(module.net)
    moved = module.net[0].weight.detach().clone()
    sparse.on_train_batch_end(None, module)  # type: ignore[arg-type]
    assert torch.equal(module.net[0].weight, moved * mask)
    assert (moved[mask] != trained[0].weight[mask]).any()
    if module.average is not None:
        assert not module.average.net[0].weight[~mask].any()
