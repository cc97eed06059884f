"""The parts of `benchmarks/search.py`: problems, peers, and the cache of their runs."""
