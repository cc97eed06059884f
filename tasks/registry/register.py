"""From a scored final model to the version under the alias `champion`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conf.loading.digests import canonical_json
from conf.runtime.errors import DenseError
from conf.runtime.home import Home
from tasks.packaging.drift_reference import REFERENCE
from tasks.packaging.explanations import EXPLAINED
from tasks.packaging.records import Candidate, Decision, FinalScore, RegisteredVersion
from tasks.registry import aliases

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion


PARAMS = 100  # as many as MLflow takes at once


def tags_of(candidate: Candidate, score: FinalScore, home: Home) -> dict[str, str]:
    """Tags of the champion's run and version: what it is, and what makes it the same."""
    return {
        "dense.kind": "champion",
        "dense.study": candidate.study,
        "dense.study_digest": candidate.study_digest,
        "dense.trial": str(candidate.number),
        "dense.digest": candidate.digest,
        "dense.data": candidate.data,
        "dense.seed": str(candidate.seed),
        "dense.epochs": str(candidate.epochs),
        "dense.objective": candidate.objective,
        "dense.repeats": str(candidate.repeats),
        "dense.validation": repr(candidate.value),
        "dense.test": canonical_json(
            {name: interval.model_dump() for name, interval in score.metrics.items()}
        ),
        "dense.test_rows": str(score.rows),
        "dense.home": home.id,
    }


@dataclass(frozen=True)
class Registration:
    """A scored final model, and all that the registry is to say of it."""

    candidate: Candidate
    """What won."""
    score: FinalScore
    """What it is worth on the test part."""
    decision: Decision
    """Of the gate."""
    folder: Path
    """Of the final training; holds `model/` and `test/`."""
    model: str
    """Name of the registered model."""
    card: str
    """The model card, in Markdown."""
    params: Mapping[str, Any]
    """Searched keys of the configuration, dotted, and their values."""
    extra_tags: Mapping[str, str] = field(default_factory=dict)
    """More tags of the run, such as the flow run's id."""


def register(
    client: MlflowClient, home: Home, given: Registration, *, expected: str | None
) -> RegisteredVersion:
    """Record the final run, register its package once, then move the aliases.

    `challenger` always comes to the new version, `champion` only if the decision is to crown it.
    Safe to call again after any crash: what is there is found by its tags.

    Args:
        client: of tracking store and registry.
        home: whose lock keeps a second registration waiting.
        given: what is registered.
        expected: version that held the alias when the decision was made; None when none did.

    Raises:
        AliasMoved: the alias was moved meanwhile.
    """
    model, tags = given.model, tags_of(given.candidate, given.score, home)
    with aliases.held(home, model):
        aliases.expect(client, model, expected, candidate_of=tags)
        version = record_version(client, home, given, previous=expected)
        client.set_registered_model_alias(model, aliases.CHALLENGER, version.version)
        if given.decision.verdict == "crown":
            client.set_registered_model_alias(model, aliases.CHAMPION, version.version)
    return aliases.registered(version)


def register_variant(
    client: MlflowClient,
    home: Home,
    given: Registration,
    *,
    alias: str | None,
    tags: Mapping[str, str],
    files: Sequence[Path] = (),
) -> RegisteredVersion:
    """Register a variant of a champion, such as a compressed one, and leave `champion` alone.

    Safe to call again after a crash: the run and the version are found by their tags.

    Args:
        client: client of the tracking store and the registry.
        home: the home whose lock makes a second registration wait.
        given: the model to register.
        alias: alias that moves to the version; None moves none.
        tags: additional tags of the version.
        files: additional artifacts of its run.
    """
    with aliases.held(home, given.model):
        version = record_version(client, home, given, previous=None)
        for name, value in tags.items():
            client.set_model_version_tag(given.model, str(version.version), name, value)
        for file in files:
            client.log_artifact(version.run_id, str(file))
        if alias is not None:
            client.set_registered_model_alias(given.model, alias, str(version.version))
    return aliases.registered(version)


def record_version(
    client: MlflowClient, home: Home, given: Registration, *, previous: str | None
) -> ModelVersion:
    """The final run's record and its version, found or made; the caller holds the model.

    `previous` is the version that the decision was made against.
    """
    tags = tags_of(given.candidate, given.score, home)
    decision = given.decision
    judged = {"dense.verdict": decision.verdict, "dense.reasons": reasons_of(decision)}
    run_id = _run(client, given, {**tags, **given.extra_tags})
    aliases.create_model(client, given.model, given.candidate.study)
    return aliases.version_of(
        client, given.model, run_id, {**tags, "dense.previous": previous or ""}, judged, given.card
    )


def reasons_of(decision: Decision) -> str:
    """A line a rule, as people read it in the registry."""
    return "\n".join(
        f"{'passed' if reason.passed else 'failed'} {reason.rule}: {reason.why}"
        for reason in decision.reasons
    )


def _run(client: MlflowClient, given: Registration, tags: Mapping[str, str]) -> str:
    """Id of the champion's run, whole: found by its tags, or created and filled."""
    candidate, time = given.candidate, _milliseconds(given.score.time)
    experiment = experiment_of(client, candidate.study)
    run = _found(client, experiment, tags)
    if run is not None and run.info.status == "FINISHED":
        return run.info.run_id
    if run is None:
        parent = _parent(client, experiment, candidate.study)
        named = {**tags, "mlflow.runName": f"champion-{candidate.digest[:8]}", **parent}
        run = client.create_run(experiment, start_time=time, tags=named)
    _fill(client, run.info.run_id, given)
    client.set_terminated(run.info.run_id, "FINISHED", end_time=time)
    return run.info.run_id


def experiment_of(client: MlflowClient, study: str) -> str:
    """Id of a study's experiment.

    Raises:
        DenseError: there is none.
    """
    found = client.get_experiment_by_name(study)
    if found is None:
        raise DenseError(
            f"MLflow has no experiment {study!r} for the champion; `dense sync {study}` writes it"
        )
    return found.experiment_id


def _found(client: MlflowClient, experiment: str, tags: Mapping[str, str]) -> Run | None:
    keys = ("dense.kind", *aliases.KEYS)
    wanted = " and ".join(f"tags.`{key}` = '{tags[key]}'" for key in keys)
    runs = client.search_runs([experiment], wanted, order_by=["attributes.start_time ASC"])
    return runs[0] if runs else None


def _parent(client: MlflowClient, experiment: str, study: str) -> dict[str, str]:
    """The tag that files the run under the study's parent run, where there is one."""
    wanted = f"tags.`dense.kind` = 'study' and tags.`dense.study` = '{study}'"
    runs = client.search_runs([experiment], wanted, order_by=["attributes.start_time ASC"])
    return {"mlflow.parentRunId": runs[0].info.run_id} if runs else {}


def _fill(client: MlflowClient, run_id: str, given: Registration) -> None:
    """Log what the run is to hold; logged again after a crash it changes nothing."""
    from mlflow.entities import Metric, Param

    candidate, score = given.candidate, given.score
    time = _milliseconds(score.time)
    values = {f"val/{candidate.objective}": candidate.value}
    for name, interval in score.metrics.items():
        values[f"test/{name}"] = interval.value
        values[f"test/{name}_low"] = interval.low
        values[f"test/{name}_high"] = interval.high
    points = [Metric(name, value, time, candidate.epochs) for name, value in values.items()]
    client.log_batch(run_id, metrics=points)
    settings = [Param(name, str(value)) for name, value in given.params.items()]
    for start in range(0, len(settings), PARAMS):
        client.log_batch(run_id, params=settings[start : start + PARAMS])
    client.log_dict(run_id, candidate.config.model_dump(mode="json"), "config.yaml")
    client.log_artifacts(run_id, str(given.folder / "model"), "model")
    client.log_artifacts(run_id, str(given.folder / "test"), "test")
    if (given.folder / REFERENCE).is_dir():  # older trainings have none
        client.log_artifacts(run_id, str(given.folder / REFERENCE), REFERENCE)
    if (given.folder / EXPLAINED).exists():
        client.log_artifact(run_id, str(given.folder / EXPLAINED))


def _milliseconds(time: float) -> int:
    return int(time * 1000)
