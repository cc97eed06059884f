"""What the looking commands print."""
from __future__ import annotations
def print_end(record): print(record)
