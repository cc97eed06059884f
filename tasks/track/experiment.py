"""A study's experiment and parent run: found or created, or refused where they are another's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from tasks.track import store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

PAGE = 1_000


def check(home: Home, study: str) -> None:
    """Refuse an MLflow that cannot take this study's record, before anything is written.

    Raises:
        BadInput: MLflow does not answer, the study's experiment was deleted, it belongs to another
            home, or its artifacts cannot be reached from here.
    """
    uri = store.bootstrap(home)
    client = store.client(uri)
    with store.answering(home, uri):
        found = find(client, uri, study)
        if found is not None:
            parents(client, home, found.experiment_id, study)


def find(client: MlflowClient, uri: str, name: str) -> Experiment | None:
    """The experiment of a study; None when there is none.

    Raises:
        BadInput: it was deleted, or its artifacts lie behind a server that is not asked.
    """
    found = client.get_experiment_by_name(name)
    if found is None:
        return None
    if found.lifecycle_stage == "deleted":
        raise BadInput(
            f"the MLflow experiment {name!r} at {store.shown(uri)} was deleted; bring it back with "
            f"`mlflow experiments restore --experiment-id {found.experiment_id}` "
            "(MLFLOW_TRACKING_URI set to that address), or choose another name: name=<new name>"
        )
    if (found.artifact_location or "").startswith("mlflow-artifacts:") and "http" not in uri[:4]:
        raise BadInput(
            f"the MLflow experiment {name!r} was made through a server that keeps its artifacts; "
            "set MLFLOW_TRACKING_URI to that server's address, not to its database"
        )
    return found


def experiment_id(client: MlflowClient, home: Home, uri: str, name: str) -> str:
    """Id of the experiment, created if need be.

    Raises:
        BadInput: as `find`.
    """
    from mlflow.exceptions import MlflowException

    found = find(client, uri, name)
    if found is None:
        try:
            location = store.artifact_location(home, uri, name)
            return str(client.create_experiment(name, artifact_location=location))
        except MlflowException as error:
            found = find(client, uri, name)  # another home was quicker, or it cannot be made
            if found is None:
                raise BadInput(
                    f"MLflow at {store.shown(uri)} refuses the experiment {name!r} "
                    f"({store.short(error)})"
                ) from error
    return str(found.experiment_id)


def parents(client: MlflowClient, home: Home, experiment: str, study: str) -> list[Run]:
    """Parent runs of a study, the oldest first; more than one only after a lost answer.

    Raises:
        BadInput: the study belongs to another home.
    """
    found = runs_of_kind(client, experiment, "study")
    for run in found:
        other = run.data.tags.get("dense.home")
        if other != home.id:
            raise BadInput(
                f"a study named {study!r} from another home ({other}) is in the same MLflow; "
                "choose another name: name=<new name>"
            )
    return found


def parent_run(
    client: MlflowClient, home: Home, experiment: str, tags: Mapping[str, str], start: int
) -> str:
    """Id of the study's parent run, found or created with `tags`.

    Raises:
        BadInput: the study belongs to another home.
    """
    found = parents(client, home, experiment, tags["dense.study"])
    if found:
        drop(client, found[1:])
        return str(found[0].info.run_id)
    run = client.create_run(experiment, start_time=start, tags=dict(tags))
    return str(run.info.run_id)


def runs_of_kind(client: MlflowClient, experiment: str, kind: str) -> list[Run]:
    """All runs with this `dense.kind`, the oldest first."""
    runs: list[Run] = []
    token: str | None = None
    while True:
        page = client.search_runs(
            [experiment], f"tags.`dense.kind` = '{kind}'", max_results=PAGE, page_token=token
        )
        runs += page
        token = page.token
        if not token:
            return sorted(runs, key=lambda run: (run.info.start_time, run.info.run_id))


def drop(client: MlflowClient, runs: Iterable[Run]) -> None:
    """Delete runs that stand for what an older run stands for already."""
    for run in runs:
        client.delete_run(run.info.run_id)
