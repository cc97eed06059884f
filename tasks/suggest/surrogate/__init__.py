"""Surrogate models: Gaussian process, kernel, Parzen densities, transfer."""
