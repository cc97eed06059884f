"""`dense check --try`: one batch through a real trial and its served form, recorded nowhere."""

from __future__ import annotations

import tempfile
from pathlib import Path

from conf.loading.digests import study_digest
from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.study import Study
from flows.study.attempts import short_spec
from tasks.champion.behaviour_cases import check_cases
from tasks.packaging.records import Candidate
from tasks.prepare import prepare
from tasks.scoring.rehearsal import rehearse_serving
from tasks.train.engine.local import LocalEngine
from tasks.train.engine.outcome import why
from tasks.train.preflight import make_ready


def dry_run(study: Study, home: Home) -> str:
    """Train trial 0 for one step, validate it, pack it, and compare the packed model with it.

    Returns:
        A sentence with the seconds that it took.

    Raises:
        BadInput: the trial failed; the message holds the cause and the end of its log.
        DenseError: the trained model cannot be packed, or predicts otherwise when packed.
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
        candidate = Candidate(
            study=study.name,
            study_digest=study_digest(study),
            data=prepared.key,
            number=spec.number,
            digest=spec.digest,
            config=spec.config,
            value=0.0,
            epochs=1,
            seed=spec.seed,
        )
        threads, limit = study.resources.threads, study.resources.trial_seconds
        rehearse_serving(candidate, prepared, Path(scratch), threads=threads, seconds=limit)
    return (
        f"tried: one step and a validation of trial 0 took {outcome.seconds:.1f} s, and its model "
        "was packed and predicts the same; nothing was recorded"
    )
