"""A child for the process tests: answers, raises, crashes or hangs as it is told."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from conf.runtime import child_process
from conf.runtime.errors import BadInput, DenseError


def handle(request: dict[str, Any]) -> dict[str, Any]:
    print("noise")
    if "pid" in request:
        Path(request["pid"]).write_text(str(os.getpid()))
    time.sleep(request.get("sleep", 0))
    match request.get("error"):
        case "bad":
            raise BadInput("the sentence")
        case "dense":
            raise DenseError("the sentence")
        case "crash":
            raise ZeroDivisionError
    return {"said": request["say"], "threads": os.environ["OMP_NUM_THREADS"]}


if __name__ == "__main__":
    child_process.answer(handle)
