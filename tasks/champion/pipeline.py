"""The champion step: re-test -> decide -> train -> score -> gate -> register.

Each part reuses the results of an earlier call, so the step may be killed at any point and called
again. If the winner has not changed it does nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from conf.loading.trial_values import values_of
from conf.runtime.child_process import ChildStopped
from conf.runtime.errors import DenseError
from tasks.champion.behaviour import check_behaviour
from tasks.champion.candidate import best_candidate, retested_candidate
from tasks.champion.context import ChampionContext, Note
from tasks.champion.decision import decide
from tasks.champion.gate import apply_gate
from tasks.champion.paired_test import gain_over_champion
from tasks.champion.retest import retest
from tasks.champion.training import train
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
from tasks.registry import aliases
from tasks.registry.register import Registration, register
from tasks.scoring.final_training import final_folder, final_spec
from tasks.scoring.score_request import TEST
from tasks.scoring.test_score import score
from tasks.study.reader import StudyRecord

MAX_RACES = 3  # how often another writer may move the alias first


def run_champion_step(context: ChampionContext) -> ChampionResult | None:
    """Promote the best trial of a study to champion, if it is new and better than the incumbent.

    Returns:
        The champion, new or old. None if no trial has an objective, if the user stopped a training
        or the scoring, or if the gate refused the only candidate.

    Raises:
        DenseError: the final training failed, or the alias was moved repeatedly meanwhile.
    """
    context = replace(context, note=_only_news(context.record, context.note))
    for _ in range(MAX_RACES):
        try:
            return _run_once(context)
        except aliases.AliasMoved as error:  # compare with the new incumbent; finished parts stay
            moved = error
    raise moved


def _run_once(context: ChampionContext) -> ChampionResult | None:
    record, client, note = context.record, context.client, context.note
    model = record.study.registered_model
    incumbent = aliases.incumbent(client, model)
    candidate, rival = select_candidate(context, incumbent)
    if candidate is None:
        return None
    back = aliases.withdrawn(client, model, candidate.digest, candidate.data, candidate.seed)
    decision = decide(candidate, rival, withdrawn=back)
    if decision.verdict != "unchanged":
        facts = {"verdict": decision.verdict, "why": decision.why}
        note("decided", {"trial": candidate.number, "digest": candidate.digest, **facts})
    if decision.verdict == "crown":
        result = _train_and_score(context, candidate)
        if result is None:
            return None
        try:
            decision = gate_decision(context, candidate, result, incumbent)
        except ChildStopped:
            return None
        note("judged", {"digest": candidate.digest, **decision.model_dump(mode="json")})
        version = _register(context, candidate, result, decision, incumbent)
        if decision.verdict == "crown":
            incumbent = incumbent_of(version, candidate, result)
    if incumbent is None:
        return None
    champion = _result(decision, model, incumbent)
    note("crowned", champion.model_dump(mode="json", exclude={"decision"}))
    return champion


def _register(
    context: ChampionContext,
    candidate: Candidate,
    result: FinalScore,
    decision: Decision,
    incumbent: Incumbent | None,
) -> RegisteredVersion:
    record = context.record
    model = record.study.registered_model
    registration = Registration(
        candidate,
        result,
        decision,
        final_folder(record.home, candidate),
        model,
        card=model_card(candidate, result, decision, context.prepared.card, model),
        params=values_of(record.study, candidate.config),
        extra_tags=context.tags,
    )
    expected = incumbent.version if incumbent else None
    return register(context.client, record.home, registration, expected=expected)


def gate_decision(
    context: ChampionContext,
    candidate: Candidate,
    result: FinalScore,
    incumbent: Incumbent | None,
) -> Decision:
    """Apply the study's gate to a scored final model.

    Raises:
        Stopped: the user asked to stop during the behavioural tests.
        DenseError: the incumbent's predictions cannot be read, or a test process failed.
    """
    study, folder = context.record.study, final_folder(context.record.home, candidate)
    gate, predictions = study.champion.gate, read(folder / TEST / PREDICTIONS)
    values = metrics.score(predictions, candidate.config.evaluate, gate.minimum)
    gain = None
    if gate.no_loss:
        gain = gain_over_champion(context.client, candidate, predictions, incumbent)
    behaviour = check_behaviour(
        gate.behaviour,
        context.prepared,
        folder,
        context.record.home,
        threads=study.resources.threads,
        seconds=study.champion.seconds,
        stopping=context.stopping,
    )
    return apply_gate(gate, result, metrics=values, gain=gain, behaviour=behaviour)


def select_candidate(
    context: ChampionContext, incumbent: Incumbent | None
) -> tuple[Candidate | None, Incumbent | None]:
    """The candidate, and the incumbent with the value that it is to be compared by.

    An incumbent of this study takes part in the re-test: a mean over fresh seeds must not be
    compared with the luckiest of many trials. The candidate is None if the user stopped the
    re-test, or if no trial has an objective.
    """
    from tasks.champion.retest_candidates import contenders  # loads scipy's optimisers

    record, prepared = context.record, context.prepared
    settings = record.study.champion
    numbers = contenders(record, settings.retest) if settings.retest > 1 else []
    own = _trial_of(record, incumbent)
    if own is not None and numbers and own not in numbers:
        numbers = [*numbers, own]
    if len(numbers) < 2:
        return best_candidate(record, prepared), incumbent
    result = retest(context, numbers)
    if result is None:
        return None, incumbent
    context.note("retested", result.model_dump(mode="json"))
    means = {entry.number: entry.mean for entry in result.entries}
    if incumbent is not None and own in means:
        incumbent = incumbent.model_copy(update={"value": means[own]})
    return retested_candidate(record, prepared, result), incumbent


def _trial_of(record: StudyRecord, incumbent: Incumbent | None) -> int | None:
    """The complete trial of this study that became the incumbent; None if there is none."""
    if incumbent is None or incumbent.study != record.study.name:
        return None
    numbers = [t.number for t in record if t.trial.digest == incumbent.digest]
    return next((n for n in numbers if record.trial(n).trial.status == "complete"), None)


def _train_and_score(context: ChampionContext, candidate: Candidate) -> FinalScore | None:
    """Train the final model and score it; None if the user stopped either of them."""
    study = context.record.study
    folder = final_folder(context.record.home, candidate)
    outcome = train(context.run, final_spec(candidate, context.prepared, study.resources), folder)
    if outcome.outcome == "interrupted":
        return None
    if outcome.outcome != "complete":
        raise DenseError(
            f"the champion's final training failed ({outcome.cause}: {outcome.message}); "
            f"see {folder / 'log.txt'}, then run the study again"
        )
    context.note("trained", {"seed": candidate.seed, "epochs": candidate.epochs})
    try:
        result = score(
            candidate,
            context.prepared,
            folder,
            threads=study.resources.threads,
            seconds=study.champion.seconds,
            stopping=context.stopping,
            explain=study.champion.explain,
        )
    except ChildStopped:
        return None
    test = {name: interval.model_dump() for name, interval in result.metrics.items()}
    context.note("scored", {"seed": candidate.seed, "rows": result.rows, "test": test})
    return result


def _only_news(record: StudyRecord, note: Note) -> Note:
    """A `note` that skips facts equal to those of the step's last line in the journal."""
    last = {event.step: event.facts for event in record.state.champion}

    def note_news(step: str, facts: Mapping[str, Any]) -> None:
        if last.get(step) != dict(facts):
            last[step] = dict(facts)
            note(step, facts)

    return note_news


def incumbent_of(version: RegisteredVersion, candidate: Candidate, result: FinalScore) -> Incumbent:
    """A new champion as `aliases.incumbent` will read it from the version's tags."""
    return Incumbent(
        version=version.version,
        run_id=version.run_id,
        study=candidate.study,
        digest=candidate.digest,
        data=candidate.data,
        objective=candidate.objective,
        value=candidate.value,
        test=result.metrics,
    )


def _result(decision: Decision, model: str, champion: Incumbent) -> ChampionResult:
    return ChampionResult(
        decision=decision,
        model=model,
        version=champion.version,
        run_id=champion.run_id,
        digest=champion.digest,
        objective=champion.objective,
        validation=champion.value,
        test=champion.test,
    )
