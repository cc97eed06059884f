"""The DAGs, thin: what happens in which order."""
