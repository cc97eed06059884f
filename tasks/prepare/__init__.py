"""Read, clean, split and store the data once."""
