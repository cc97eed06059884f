"""Prepare: read a source once, clean it, split it, and store it for every trial to share."""

from tasks.prepare.run import prepare
from tasks.prepare.store.store import Prepared, test_path

__all__ = ["Prepared", "prepare", "test_path"]
