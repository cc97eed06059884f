"""A small study run through the real engine and journal, without a flow."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from conf.loading.digests import derived_seed, trial_digest
from conf.loading.trial_values import apply_values
from conf.runtime.home import Home
from conf.schema.study import Study
from tasks.evaluate.evaluation import evaluate
from tasks.prepare import Prepared
from tasks.study.event_builders import end_events
from tasks.study.events import Asked, Attempt, Champion, Suggested
from tasks.study.lock import Holder
from tasks.study.reader import StudyRecord
from tasks.study.writer import OpenStudy
from tasks.train.engine.local import LocalEngine
from tasks.train.spec import TrialSpec


def small_study(**changes: Any) -> Study:
    return Study.model_validate(
        {
            "name": "digits",
            "train": {"epochs": 3, "lr": 0.01},
            "model": {"kind": "cnn", "width": 8},
            "search": {"trials": 3, "space": {"train.lr": {"low": 1e-4, "high": 1e-1}}},
            **changes,
        }
    )


def opened(home: Home, study: Study) -> OpenStudy:
    return OpenStudy.open(home, study, Holder(1, "here", time.time(), ""), time.time())


def run_trials(
    home: Home,
    study: Study,
    prepared: Prepared,
    engine: LocalEngine,
    settings: Sequence[Mapping[str, Any]],
) -> StudyRecord:
    """Ask for trials with these settings, one batch, and run them one by one."""
    with opened(home, study) as journal:
        first = journal.state.asked
        configs = [apply_values(study.trial_config, values) for values in settings]
        suggestions = tuple(
            Suggested(
                number=number, values=dict(values), digest=trial_digest(config), origin="test"
            )
            for number, (values, config) in enumerate(zip(settings, configs, strict=True), first)
        )
        journal.append(
            Asked(
                batch=journal.state.batches, first=first, suggestions=suggestions, time=time.time()
            )
        )
        for suggestion, config in zip(suggestions, configs, strict=True):
            spec = TrialSpec(
                study=study.name,
                number=suggestion.number,
                digest=suggestion.digest,
                config=config,
                seed=derived_seed(study.seed, suggestion.number),
                train=str(prepared.train),
                validation=str(prepared.validation),
                card=str(prepared.card_path),
                until=config.train.epochs,
            )
            folder = home.trial(study.name, suggestion.number, suggestion.digest)
            journal.append(
                Attempt(number=suggestion.number, attempt=1, until=spec.until, time=time.time())
            )
            outcome = engine.run(spec, folder)
            assert outcome.outcome == "complete", outcome
            evaluate(folder, config)
            journal.append(*end_events(journal.state, suggestion.number, outcome, time.time()))
    return StudyRecord.read(home, study.name)


def note_into(home: Home, study: Study) -> Any:
    """The champion step's `note`, into the real journal."""

    def note(step: str, facts: Mapping[str, Any]) -> None:
        with opened(home, study) as journal:
            journal.append(Champion(step=step, facts=dict(facts), time=time.time()))

    return note
