"""`dense check --try`: one batch through a real trial process, recorded nowhere."""

from __future__ import annotations

import tempfile
from pathlib import Path

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.study import Study
from flows.study.attempts import short_spec
from tasks.champion.behaviour_cases import check_cases
from tasks.prepare import prepare
from tasks.train.engine.local import LocalEngine
from tasks.train.engine.outcome import why
from tasks.train.preflight import make_ready


def dry_run(study: Study, home: Home) -> str:
    """Train trial 0 for one step and validate it.

    Returns:
        A sentence with the seconds that it took.

    Raises:
        BadInput: the trial failed; the message holds the cause and the end of its log.
    """
    prepared = prepare(study, home, print)
    make_ready(study, prepared.card, home, print)
    check_cases(study, prepared.card, home)
    with (
        tempfile.TemporaryDirectory(prefix="dense-") as scratch,
        LocalEngine(home, slots=0) as engine,
    ):
        spec = short_spec(study, prepared, steps=1)
        outcome = engine.run(spec, Path(scratch))
        if outcome.refused:
            raise BadInput(outcome.message)
        if outcome.outcome != "complete":
            log = (Path(scratch) / "log.txt").read_text(errors="replace").strip()
            raise BadInput(
                f"one batch of trial 0 failed ({why(outcome.cause, outcome.message)}); "
                f"the end of its log: {log[-600:]}"
            )
    return (
        f"tried: one step and a validation of trial 0 took {outcome.seconds:.1f} s; "
        "nothing was recorded"
    )
