"""LightningModules and what builds them."""
