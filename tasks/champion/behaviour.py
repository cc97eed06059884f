"""Behavioural tests of a packed model: directional expectations, each with the share that passes.

Ribeiro et al., "Beyond Accuracy: Behavioral Testing of NLP Models with CheckList", 2020
(arXiv:2005.04118), calls them directional expectation tests. Columns are changed in rows of the
validation split: no target is needed, and the test split stays read only once.

Run as `python -m tasks.champion.behaviour` by `check_behaviour`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from conf.runtime import child_process
from conf.runtime.home import Home
from conf.runtime.types import Floats
from conf.schema.behaviour import Behaviour, Pair, Push
from data.card import Inputs, TableInputs
from tasks.champion.behaviour_cases import text_pairs
from tasks.packaging.package import package_predict
from tasks.packaging.records import BehaviourResult
from tasks.packaging.table_frame import select_rows
from tasks.prepare import Prepared
from tasks.scoring.score_request import PACKAGE

if TYPE_CHECKING:
    from mlflow.pyfunc import PyFuncModel

    from tasks.packaging.table_frame import RawValues

TOLERANCE = 1e-6
"""Rounding error of an unchanged float32 prediction."""
MAX_SHOWN = 60  # characters of a text in a message


class BehaviourRequest(BaseModel):
    """The request to the process that runs the tests."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Path
    """The model folder."""
    rows: Path
    """The validation split."""
    inputs: Inputs
    """Of the data set card."""
    pairs: tuple[Pair, ...]
    share: float
    """Share of the pairs that must be ranked as expected."""
    pushes: tuple[Push, ...]


class BehaviourReply(BaseModel):
    """The reply: one result for all pairs of texts, then one per pushed column."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    results: tuple[BehaviourResult, ...]


def check_behaviour(
    behaviour: Behaviour,
    prepared: Prepared,
    folder: Path,
    home: Home,
    *,
    threads: int,
    seconds: float,
    stopping: child_process.Stopping = child_process.never,
) -> tuple[BehaviourResult, ...]:
    """Run a gate's behavioural tests in a process of their own; empty if the gate has none.

    Args:
        behaviour: the tests.
        prepared: the data of the model.
        folder: contains `model/`.
        home: a file of cases may lie in its folders.
        threads: of the process.
        seconds: time limit of the process.
        stopping: whether the user asked to stop.

    Raises:
        Stopped: the user asked to stop.
        BadInput: the file of cases cannot be read.
        DenseError: the process failed or exceeded its time limit.
    """
    if not behaviour.asks:
        return ()
    request = BehaviourRequest(
        model=folder / PACKAGE,
        rows=prepared.validation,
        inputs=prepared.card.inputs,
        pairs=text_pairs(behaviour, home),
        share=behaviour.share,
        pushes=behaviour.pushes,
    )
    reply = child_process.call(
        "tasks.champion.behaviour",
        request.model_dump(mode="json"),
        log=folder / "behaviour.log",
        threads=threads,
        seconds=seconds,
        stopping=stopping,
    )
    return BehaviourReply.model_validate(reply).results


def run_tests(request: BehaviourRequest) -> BehaviourReply:
    """Load the model and run every test of a request."""
    from tasks.packaging.benchmark import load
    from tasks.packaging.raw_rows import read_rows

    model, results = load(request.model), []
    if request.pairs:
        results.append(score_pairs(model, request.pairs, request.share))
    if request.pushes:
        values = read_rows(request.rows, request.inputs).values
        assert isinstance(request.inputs, TableInputs)
        names = list(request.inputs.names)
        results += [score_push(model, p, values, names.index(p.column)) for p in request.pushes]
    return BehaviourReply(results=tuple(results))


def handle(request: dict[str, Any]) -> dict[str, Any]:
    """`run_tests` on JSON."""
    return run_tests(BehaviourRequest.model_validate(request)).model_dump(mode="json")


def score_pairs(model: PyFuncModel, pairs: Sequence[Pair], least: float) -> BehaviourResult:
    """Share of the pairs whose `higher` text scores above the `lower` one, and the worst pair."""
    classes = [pair.of for pair in pairs]
    high, low = (
        _predict(model, np.array(texts, dtype=object), classes)
        for texts in ([pair.higher for pair in pairs], [pair.lower for pair in pairs])
    )
    margin = high - low
    worst = int(margin.argmin())
    pair = pairs[worst]
    shown = (
        f"{_short(pair.higher)} has {high[worst]:.4g}{_for_class(pair.of)}, "
        f"{_short(pair.lower)} {low[worst]:.4g}"
    )
    return BehaviourResult(
        what=f"share of {len(pairs)} pairs of texts that are ranked as expected",
        share=float((margin > 0).mean()),
        least=least,
        worst=shown,
    )


def score_push(model: PyFuncModel, push: Push, values: RawValues, column: int) -> BehaviourResult:
    """Share of the rows whose prediction does not fall when a column is changed.

    Rows without a value in the column (NaN) are left out.

    Args:
        model: the packed model.
        push: by how much the column changes, and how far the prediction may fall.
        values: raw rows, which stay as they are.
        column: position of the column.
    """
    changed = values.copy()
    cells = changed if isinstance(changed, np.ndarray) else changed.iloc
    present = np.flatnonzero(~np.isnan(cells[:, column]))
    cells[:, column] += push.by
    known, changed = select_rows(values, present), select_rows(changed, present)
    before, after = (_predict(model, rows, [push.of] * len(rows)) for rows in (known, changed))
    fall = before - after
    change = f"{'raising' if push.by > 0 else 'lowering'} {push.column!r} by {abs(push.by):g}"
    if not len(known):
        return BehaviourResult(
            what=f"{change}: no row has a value there", share=1.0, least=push.least
        )
    worst = int(fall.argmax())
    return BehaviourResult(
        what=f"share of {len(known)} rows in which {change} does not lower the prediction"
        + _for_class(push.of)
        + (f" by more than {push.fall:g}" if push.fall else ""),
        share=float((fall <= push.fall + TOLERANCE).mean()),
        least=push.least,
        worst=f"from {before[worst]:.4g} to {after[worst]:.4g}",
    )


def _predict(model: PyFuncModel, rows: RawValues, classes: Sequence[str | None]) -> Floats:
    """The probability of each row's class, or the predicted number where the class is None."""
    predictions = package_predict(model, rows)
    columns = ["prediction" if name is None else f"p_{name}" for name in classes]
    places = predictions.columns.get_indexer(columns)
    return predictions.to_numpy(dtype=object)[np.arange(len(rows)), places].astype(np.float64)


def _for_class(name: str | None) -> str:
    return f" for {name}" if name is not None else ""


def _short(text: str) -> str:
    return repr(text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…")


if __name__ == "__main__":
    child_process.answer(handle)
