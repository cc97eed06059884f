"""From the prepared store to batches: readers, collators, samplers, the data module."""
