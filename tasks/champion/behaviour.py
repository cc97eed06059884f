"""How a packed model behaves when what it is asked changes: directional cases, each a share.

Run as `python -m tasks.champion.behaviour` by `behave`. Columns are pushed in rows of the
validation part: no target is needed, and the test part stays read once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from conf.runtime import child_process
from conf.runtime.home import Home
from conf.schema.behaviour import Behaviour, Pair, Push
from tasks.champion.behaviour_cases import pairs_of
from tasks.packaging.records import BehaviourResult
from tasks.packaging.table_frame import picked
from tasks.prepare import Prepared
from tasks.scoring.test_score import PACKAGE

if TYPE_CHECKING:
    from mlflow.pyfunc import PyFuncModel

TOLERANCE = 1e-6
"""Of a float32 answer that did not change."""
SHOWN = 60


def behave(
    behaviour: Behaviour,
    prepared: Prepared,
    folder: Path,
    home: Home,
    *,
    threads: int,
    seconds: float,
    stopping: child_process.Stopping = child_process.never,
) -> tuple[BehaviourResult, ...]:
    """What a gate's directional cases came to; nothing where it has none.

    Args:
        behaviour: the cases.
        prepared: the data of the model.
        folder: holds `model/`.
        home: whose folders a file of cases may lie in.
        threads: of the process.
        seconds: after which it is ended.
        stopping: whether the user wants an end.

    Raises:
        Stopped: the user wanted an end.
        BadInput: the file of cases cannot be read.
    """
    if not behaviour.asks:
        return ()
    request = {
        "pairs": [pair.model_dump() for pair in pairs_of(behaviour, home)],
        "share": behaviour.share,
        "pushes": [push.model_dump() for push in behaviour.pushes],
        "model": str(folder / PACKAGE),
        "rows": str(prepared.validation),
        "inputs": prepared.card["inputs"],
    }
    reply = child_process.call(
        "tasks.champion.behaviour",
        request,
        log=folder / "behaviour.log",
        threads=threads,
        seconds=seconds,
        stopping=stopping,
    )
    return tuple(BehaviourResult.model_validate(each) for each in reply["behaved"])


def handle(request: dict[str, Any]) -> dict[str, Any]:
    """Ask the model for every case."""
    from tasks.packaging.benchmark import load
    from tasks.packaging.raw_rows import read_rows

    model = load(Path(request["model"]))
    found = []
    if pairs := [Pair.model_validate(each) for each in request["pairs"]]:
        found.append(paired(model, pairs, request["share"]))
    if pushes := [Push.model_validate(each) for each in request["pushes"]]:
        values = read_rows(Path(request["rows"]), request["inputs"]).values
        names = list(request["inputs"]["names"])
        found += [pushed(model, push, values, names.index(push.column)) for push in pushes]
    return {"behaved": [each.model_dump() for each in found]}


def paired(model: PyFuncModel, pairs: Sequence[Pair], least: float) -> BehaviourResult:
    """How many pairs are scored as they say, and the one that is furthest from it."""
    of = [pair.of for pair in pairs]
    high, low = (
        _said(model, np.array(texts, dtype=object), of)
        for texts in ([pair.higher for pair in pairs], [pair.lower for pair in pairs])
    )
    ahead = high - low
    worst = int(ahead.argmin())
    pair = pairs[worst]
    what = (
        f"{_short(pair.higher)} has {high[worst]:.4g}{_of(pair.of)}, "
        f"{_short(pair.lower)} {low[worst]:.4g}"
    )
    return BehaviourResult(
        what=f"share of {len(pairs)} pairs of texts that are scored as they should be",
        share=float((ahead > 0).mean()),
        least=least,
        worst=what,
    )


def pushed(model: PyFuncModel, push: Push, values: Any, column: int) -> BehaviourResult:
    """In how many rows an answer does not fall when a column is changed; gaps stay gaps."""
    changed = values.copy()
    place = changed.iloc if hasattr(changed, "iloc") else changed  # of words there is a frame
    there = np.flatnonzero(~np.isnan(place[:, column]))
    place[:, column] += push.by
    known, changed = picked(values, there), picked(changed, there)
    before, after = (_said(model, rows, [push.of] * len(rows)) for rows in (known, changed))
    fall = before - after
    did = f"{'raising' if push.by > 0 else 'lowering'} {push.column!r} by {abs(push.by):g}"
    if not len(known):
        return BehaviourResult(what=f"{did}: no row has a value there", share=1.0, least=push.least)
    worst = int(fall.argmax())
    return BehaviourResult(
        what=f"share of {len(known)} rows in which {did} does not lower the answer{_of(push.of)}"
        + (f" by more than {push.fall:g}" if push.fall else ""),
        share=float((fall <= push.fall + TOLERANCE).mean()),
        least=push.least,
        worst=f"from {before[worst]:.4g} to {after[worst]:.4g}",
    )


def _said(model: PyFuncModel, rows: Any, of: Sequence[str | None]) -> NDArray[np.float64]:
    """Of each row the probability of its class, or the number."""
    answers = model.predict(rows)
    columns = ["prediction" if name is None else f"p_{name}" for name in of]
    places = answers.columns.get_indexer(columns)
    return answers.to_numpy(dtype=object)[np.arange(len(rows)), places].astype(np.float64)


def _of(name: str | None) -> str:
    return f" for {name}" if name is not None else ""


def _short(text: str) -> str:
    return repr(text if len(text) <= SHOWN else text[: SHOWN - 1] + "…")


if __name__ == "__main__":
    child_process.answer(handle)
