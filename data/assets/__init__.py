"""Data sets and weights that are fetched as packages, by a closed list of names."""
