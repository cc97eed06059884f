"""Acquisition functions, candidates, trust region, batches."""
