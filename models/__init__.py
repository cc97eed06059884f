"""LightningModules and what builds them."""

from models.build import build, build_net, features

__all__ = ["build", "build_net", "features"]
