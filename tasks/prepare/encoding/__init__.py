"""Encoders fitted on the training split: BPE, categories, back-translation."""
