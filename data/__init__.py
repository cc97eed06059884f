"""Data: readers of sources, augmentation, and the loaders that feed a trial."""
