"""The champion step, whole: re-test -> decide -> train -> score -> judge -> register.

Every part finds what an earlier call has done, so that the step may be killed anywhere and called
again; with an unchanged winner it does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from conf.loading.trial_values import values_of
from conf.runtime.child_process import Stopped, Stopping, never
from conf.runtime.errors import DenseError
from tasks.champion.behaviour import behave
from tasks.champion.candidate import candidate_of, retested_candidate
from tasks.champion.decision import decide
from tasks.champion.gate import judge
from tasks.champion.paired_test import improvement
from tasks.champion.retest import retest
from tasks.champion.training import RunTrial, train
from tasks.evaluate import metrics
from tasks.evaluate.evaluation import PREDICTIONS
from tasks.evaluate.predictions import read
from tasks.packaging.model_card import model_card
from tasks.packaging.records import (
    Candidate,
    ChampionResult,
    Decision,
    FinalScore,
    Incumbent,
    RegisteredVersion,
)
from tasks.prepare import Prepared
from tasks.registry import aliases
from tasks.registry.register import Registration, register
from tasks.scoring.final_training import final_folder, final_spec
from tasks.scoring.test_score import TEST, score
from tasks.study.reader import StudyRecord

if TYPE_CHECKING:
    from mlflow import MlflowClient

Note = Callable[[str, Mapping[str, Any]], None]
RACES = 3  # how often another writer of the alias may come first


def crown(
    record: StudyRecord,
    prepared: Prepared,
    run: RunTrial,
    client: MlflowClient,
    note: Note,
    *,
    tags: Mapping[str, str] | None = None,
    stopping: Stopping = never,
) -> ChampionResult | None:
    """Make the best trial of a study its champion, if it is new and better than the last.

    Args:
        record: the study, read back.
        prepared: its data.
        run: the trial engine's `run`.
        client: of MLflow, whose experiment of the study exists.
        note: called with a step's name and its facts, once each, to be written to the journal:
            `retested`, `decided`, `trained`, `scored`, `judged`, `crowned`. What the journal
            holds already is not told.
        tags: more tags of the champion's run.
        stopping: whether the user wants an end; asked while the final model is scored.

    Returns:
        The champion, new or old. None while no trial has an objective, where a training or the
        scoring was stopped by the user, and where the gate refused the only candidate.

    Raises:
        DenseError: the final training failed, or the alias was moved again and again meanwhile.
    """
    tell = _teller(record, note)
    for _ in range(RACES):
        try:
            return _crown(record, prepared, run, client, tell, tags or {}, stopping)
        except aliases.AliasMoved as error:  # compare with whoever came first; what is done stays
            moved = error
    raise moved


def _crown(
    record: StudyRecord,
    prepared: Prepared,
    run: RunTrial,
    client: MlflowClient,
    tell: Note,
    tags: Mapping[str, str],
    stopping: Stopping,
) -> ChampionResult | None:
    model = record.study.registered_model
    held = aliases.incumbent(client, model)
    candidate, rival = contend(record, prepared, run, held, tell)
    if candidate is None:
        return None
    back = aliases.withdrawn(client, model, candidate.digest, candidate.data, candidate.seed)
    decision = decide(candidate, rival, withdrawn=back)
    if decision.verdict != "unchanged":
        tell("decided", {"trial": candidate.number, "digest": candidate.digest, **_said(decision)})
    if decision.verdict == "crown":
        taken = _scored(record, candidate, prepared, run, tell, stopping)
        if taken is None:
            return None
        try:
            decision = judged(record, prepared, client, candidate, taken, held, stopping)
        except Stopped:
            return None
        tell("judged", {"digest": candidate.digest, **decision.model_dump(mode="json")})
        given = Registration(
            candidate,
            taken,
            decision,
            final_folder(record.home, candidate),
            model,
            card=model_card(candidate, taken, decision, prepared.card, model),
            params=values_of(record.study, candidate.config),
            extra_tags=tags,
        )
        done = register(client, record.home, given, expected=held.version if held else None)
        if decision.verdict == "crown":
            held = incumbent_of(done, candidate, taken)
    if held is None:
        return None
    crowned = _crowned(decision, model, held)
    tell("crowned", crowned.model_dump(mode="json", exclude={"decision"}))
    return crowned


def judged(
    record: StudyRecord,
    prepared: Prepared,
    client: MlflowClient,
    candidate: Candidate,
    taken: FinalScore,
    held: Incumbent | None,
    stopping: Stopping = never,
) -> Decision:
    """What the study's gate says of a scored final model."""
    study, folder = record.study, final_folder(record.home, candidate)
    gate, said = study.champion.gate, read(folder / TEST / PREDICTIONS)
    values = metrics.score(said, candidate.config.evaluate, gate.minimum)
    against = improvement(client, candidate, said, held) if gate.no_loss else None
    behaved = behave(
        gate.behaviour,
        prepared,
        folder,
        record.home,
        threads=study.resources.threads,
        seconds=study.champion.seconds,
        stopping=stopping,
    )
    return judge(gate, taken, metrics=values, against=against, behaved=behaved)


def contend(
    record: StudyRecord, prepared: Prepared, run: RunTrial, held: Incumbent | None, tell: Note
) -> tuple[Candidate | None, Incumbent | None]:
    """Who competes, and the incumbent with the value that it is to be compared by.

    In a re-test the incumbent takes part if it is of this study: a mean over fresh seeds is not
    compared with the luckiest of many runs. There is no candidate if the user stopped the re-test.
    """
    from tasks.champion.retest_candidates import contenders  # scipy's optimisers load with it

    settings = record.study.champion
    numbers = contenders(record, settings.retest) if settings.retest > 1 else []
    own = _trial_of(record, held)
    if own is not None and numbers and own not in numbers:
        numbers = [*numbers, own]
    if len(numbers) < 2:
        return candidate_of(record, prepared), held
    found = retest(record, prepared, run, numbers)
    if found is None:
        return None, held
    tell("retested", found.model_dump(mode="json"))
    means = {entry.number: entry.mean for entry in found.entries}
    if held is not None and own in means:
        held = held.model_copy(update={"value": means[own]})
    return retested_candidate(record, prepared, found), held


def _trial_of(record: StudyRecord, held: Incumbent | None) -> int | None:
    """The complete trial of this study that the incumbent is; None if it is another study's."""
    if held is None or held.study != record.study.name:
        return None
    numbers = [t.number for t in record if t.trial.digest == held.digest]
    return next((n for n in numbers if record.trial(n).trial.status == "complete"), None)


def _scored(
    record: StudyRecord,
    candidate: Candidate,
    prepared: Prepared,
    run: RunTrial,
    tell: Note,
    stopping: Stopping,
) -> FinalScore | None:
    """Train the final model and score it; None when the user stopped one of them."""
    study = record.study
    folder = final_folder(record.home, candidate)
    outcome = train(run, final_spec(candidate, prepared, study.resources), folder)
    if outcome.outcome == "interrupted":
        return None
    if outcome.outcome != "complete":
        raise DenseError(
            f"the champion's final training failed ({outcome.cause}: {outcome.message}); "
            f"see {folder / 'log.txt'}, then run the study again"
        )
    tell("trained", {"seed": candidate.seed, "epochs": candidate.epochs})
    try:
        taken = score(
            candidate,
            prepared,
            folder,
            threads=study.resources.threads,
            seconds=study.champion.seconds,
            stopping=stopping,
            explain=study.champion.explain,
        )
    except Stopped:
        return None
    metrics = {name: interval.model_dump() for name, interval in taken.metrics.items()}
    tell("scored", {"seed": candidate.seed, "rows": taken.rows, "test": metrics})
    return taken


def _teller(record: StudyRecord, note: Note) -> Note:
    """Passes on what the journal does not say already in its last line of that step."""
    last = {event.step: event.facts for event in record.state.champion}

    def tell(step: str, facts: Mapping[str, Any]) -> None:
        if last.get(step) != dict(facts):
            last[step] = dict(facts)
            note(step, facts)

    return tell


def _said(decision: Decision) -> dict[str, Any]:
    return {"verdict": decision.verdict, "why": decision.why}


def incumbent_of(done: RegisteredVersion, candidate: Candidate, taken: FinalScore) -> Incumbent:
    """A new champion, as its tags will tell it."""
    return Incumbent(
        version=done.version,
        run_id=done.run_id,
        study=candidate.study,
        digest=candidate.digest,
        data=candidate.data,
        objective=candidate.objective,
        value=candidate.value,
        test=taken.metrics,
    )


def _crowned(decision: Decision, model: str, held: Incumbent) -> ChampionResult:
    return ChampionResult(
        decision=decision,
        model=model,
        version=held.version,
        run_id=held.run_id,
        digest=held.digest,
        objective=held.objective,
        validation=held.value,
        test=held.test,
    )
