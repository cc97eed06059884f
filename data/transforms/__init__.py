"""Augmentation and normalisation: images, texts, mixing, oversampling."""
