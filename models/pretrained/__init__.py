"""Pretrained networks: loading, freezing, adapters, frozen features."""
