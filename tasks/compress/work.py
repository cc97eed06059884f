"""Several models packed and measured in one process; run as `python -m tasks.compress.work`."""

from __future__ import annotations

from typing import Any

from conf.runtime import child_process
from tasks.scoring.test_score import handle as measure


def handle(request: dict[str, Any]) -> dict[str, Any]:
    """The scores of all, by recipe."""
    return {recipe: measure(each) for recipe, each in request["all"].items()}


if __name__ == "__main__":
    child_process.answer(handle)
