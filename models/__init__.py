"""LightningModules and what builds them."""

from models.build import build, build_net, frozen_features

__all__ = ["build", "build_net", "frozen_features"]
