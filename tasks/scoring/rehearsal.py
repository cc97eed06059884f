"""Rehearse packing and serving on a trained trial, before a study spends its budget.

A network whose export or served form fails would otherwise train every trial and end without a
champion.

Run as `python -m tasks.scoring.rehearsal` by `rehearse_serving`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from conf.runtime import child_process
from data.card import DataCard
from tasks.packaging.records import Candidate
from tasks.prepare import Prepared
from tasks.scoring.score_request import PACKAGE, ScoreRequest

ROWS = 32
"""Rows of the validation split that the packed model predicts."""


def rehearse_serving(
    candidate: Candidate, prepared: Prepared, folder: Path, *, threads: int, seconds: float
) -> None:
    """Pack a trained trial, load the package, and compare its predictions with the network's.

    Args:
        candidate: the trial as if it had won.
        prepared: the data it was trained on; the test split is not read.
        folder: of the trial; receives the package and `serve.log`.
        threads: of the process.
        seconds: its time limit.

    Raises:
        BadInput: the model cannot be packed.
        DenseError: the same, or the packed model predicts otherwise.
    """
    request = ScoreRequest(
        candidate=candidate,
        folder=folder,
        out=folder / "rehearsal",
        card=prepared.card_path,
        train=prepared.train,
        test=prepared.validation,
    )
    child_process.call(
        "tasks.scoring.rehearsal",
        request.model_dump(mode="json"),
        log=folder / "serve.log",
        threads=threads,
        seconds=seconds,
    )


def handle(given: dict[str, Any]) -> dict[str, Any]:
    """Rehearse one request, on JSON."""
    import datasets

    from data.loading.eval_loader import evenly
    from tasks.packaging import benchmark
    from tasks.packaging.pack import pack
    from tasks.packaging.packer import PackJob
    from tasks.packaging.raw_rows import read_rows
    from tasks.scoring.served_check import check_served

    request = ScoreRequest.model_validate(given)
    card, few = DataCard.read(request.card), request.out / "rows"
    split = datasets.load_from_disk(str(request.test))
    split.select(evenly(np.arange(len(split)), ROWS)).flatten_indices().save_to_disk(str(few))
    request = request.model_copy(update={"test": few})
    pack(PackJob(request.candidate, request.folder, card, request.train), request.out / PACKAGE)
    model, rows = benchmark.load(request.out / PACKAGE), read_rows(few, card.inputs)
    answer = benchmark.generate if card.inputs.kind == "pairs" else benchmark.predict
    check_served(answer(model, rows), model, request, card)
    return {}


if __name__ == "__main__":
    child_process.answer(handle)
