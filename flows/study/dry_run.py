"""`dense check --try`: one batch through a real trial process, recorded nowhere."""

from __future__ import annotations

import tempfile
from pathlib import Path

from conf.loading.digests import derived_seed, trial_digest
from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.study import Study
from tasks.champion.behaviour_cases import check_cases
from tasks.prepare import Prepared, prepare
from tasks.train.engine.engine import Engine
from tasks.train.engine.outcome import why
from tasks.train.preflight import make_ready
from tasks.train.spec import TrialSpec


def rehearse(study: Study, home: Home) -> str:
    """Train trial 0 for one step and validate it; gives a sentence about it.

    Raises:
        BadInput: the trial failed; the sentence says why.
    """
    prepared = prepare(study, home, print)
    make_ready(study, prepared.card, home, print)
    check_cases(study, prepared.card, home)
    with tempfile.TemporaryDirectory(prefix="dense-") as scratch, Engine(home, slots=0) as engine:
        spec = brief(study, prepared, steps=1)
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


def brief(study: Study, prepared: Prepared, steps: int) -> TrialSpec:
    """Trial 0, so many optimiser steps long."""
    short = {"epochs": 1, "steps_per_epoch": steps, "patience": None}
    train = study.train.model_copy(update=short)
    config = study.trial_config.model_copy(update={"train": train})
    return TrialSpec(
        study=study.name,
        number=0,
        digest=trial_digest(config),
        config=config,
        seed=derived_seed(study.seed, 0),
        train=str(prepared.train),
        validation=str(prepared.validation),
        card=str(prepared.card_path),
        until=1,
        threads=study.resources.threads,
        devices=study.resources.devices,
        strategy=study.resources.strategy,
        trial_seconds=study.resources.trial_seconds,
    )
