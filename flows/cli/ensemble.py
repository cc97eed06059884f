"""`dense ensemble`: a study's best trials as one model, held against the gate and registered."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from conf.runtime.home import Home
from tasks.report import format as words
from tasks.study.reader import StudyRecord

if TYPE_CHECKING:
    from tasks.champion.training import RunTrial
    from tasks.ensemble.build import EnsembleResult
    from tasks.train.engine.local import LocalEngine
    from tasks.train.engine.outcome import Outcome
    from tasks.train.spec import TrialSpec


AGAIN = "training trial {} again: its weights are gone"


def ensemble(name: str) -> int:
    """Print the members and what came of them; 0 where the ensemble was registered and the gate let
    it through, else 1.

    Raises:
        BadInput: the study is not known, or has no trials whose answers can be averaged.
    """
    from tasks.champion.context import ChampionContext
    from tasks.ensemble.build import build
    from tasks.evaluate.ensemble_selection import Ensemble
    from tasks.prepare.store.pin import pinned
    from tasks.track.store import mlflow_session

    home = Home.open()
    record = StudyRecord.read(home, name)
    prepared = pinned(record.study, home, print)
    with mlflow_session(home) as client, ExitStack() as stack:
        run = trainer(home, stack, AGAIN)
        found = build(ChampionContext(record, prepared, run, client))
    if isinstance(found, Ensemble):
        alone = next(iter(found.weights))
        print(f"no ensemble of the trials is better than trial {alone} alone; nothing registered")
        return 1
    print("\n".join(lines(found, record.study.evaluate.objective)))
    return 0 if found.decision.verdict == "keep" else 1


def trainer(home: Home, stack: ExitStack, what: str) -> RunTrial:
    """Trains what is asked for, said by `what` of its number; the engine is opened for the first
    one."""
    opened: list[LocalEngine] = []

    def run(spec: TrialSpec, folder: Path) -> Outcome:
        from tasks.train.engine.local import LocalEngine

        if not opened:
            opened.append(stack.enter_context(LocalEngine(home, slots=0)))
        print(what.format(spec.number), flush=True)
        return opened[0].run(spec, folder)

    return run


def lines(found: EnsembleResult, objective: str) -> list[str]:
    """The members, what they reach, the gate's reasons, and where the model is."""
    members = [f"trial {each.number} ({each.weight:.0%})" for each in found.members]
    test = found.score.metrics[objective]
    done = found.registered
    passed = found.decision.verdict == "keep"
    return [
        f"members   {', '.join(members)}",
        *(
            f"unlike    trial {number}: its predictions are not the same bits as the first time"
            for number in found.differing
        ),
        f"reached   {objective} {found.value:.4f} on the validation part that they were picked on; "
        f"the best alone {found.selection.single:.4f}",
        f"test      {objective} {test.value:.4f} ({words.interval(test.low, test.high)})",
        *(
            f"gate      {'passed' if reason.passed else 'failed'} {reason.rule}: {reason.why}"
            for reason in found.decision.reasons
        ),
        f"ensemble  {done.model} version {done.version}: models:/{done.model}@ensemble"
        if passed
        else f"ensemble  {done.model} version {done.version}, kept from its alias by the gate",
    ]
