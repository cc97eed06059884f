"""The steps: pure functions, and thin tasks over them."""
