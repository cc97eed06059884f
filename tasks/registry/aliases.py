"""The registered model: its versions, found by tag before they are created, and their aliases.

MLflow has no transaction. So the order is: run -> version with all its tags -> `challenger` -> one
write of `champion`; whoever dies in between leaves a valid champion, and the same call made again
completes it. One writer at a time
for a model: `held` is taken by whoever reads the alias in order to move it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from conf.runtime.errors import BadInput, DenseError
from conf.runtime.file_lock import FileLock
from conf.runtime.home import Home
from tasks.packaging.records import Incumbent, RegisteredVersion
from tasks.study.reader import StudyRecord, studies

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION, CHALLENGER = "champion", "challenger"
WITHDRAWN = "dense.withdrawn"
# What makes a version the same version.
KEYS = ("dense.digest", "dense.data", "dense.seed")


class AliasMoved(DenseError):
    """Somebody moved the alias `champion` after the decision was made."""


def held(home: Home, model: str) -> FileLock:
    """Lock a registered model; a second caller waits for the first."""
    # Quoted, because the name of a model may contain `../`.
    return FileLock.acquire(home.path / "registry" / f"{quote(model, safe='')}.lock")


def aliased(client: MlflowClient, model: str, alias: str = CHAMPION) -> ModelVersion | None:
    """The version under an alias; None when there is no such model or alias."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(model, alias)
    except MlflowException as error:
        # MLflow calls a missing alias an invalid value, and a missing model one that is absent.
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def incumbent(client: MlflowClient, model: str) -> Incumbent | None:
    """Who holds the alias `champion`; None when nobody does.

    Raises:
        BadInput: the version was not registered by this system, so nothing is known of it.
    """
    version = aliased(client, model)
    if version is None:
        return None
    tags = version.tags
    try:
        return Incumbent(
            version=str(version.version),
            run_id=version.run_id,
            study=tags["dense.study"],
            digest=tags["dense.digest"],
            data=tags["dense.data"],
            objective=tags["dense.objective"],
            value=float(tags["dense.validation"]),
            test=json.loads(tags["dense.test"]),
        )
    except (KeyError, ValueError) as error:
        raise BadInput(
            f"version {version.version} of the registered model {model!r} holds the alias "
            f"{CHAMPION!r} but was not registered by dense ({error}); choose another name with "
            "champion.model=<name>"
        ) from error


def find_version(client: MlflowClient, model: str, tags: Mapping[str, str]) -> ModelVersion | None:
    """The oldest version with these keys among its tags."""
    found = [
        version
        for version in client.search_model_versions(f"name = '{model}'")
        if all(version.tags.get(key) == tags[key] for key in KEYS)
    ]
    return min(found, key=lambda version: int(version.version), default=None)


def withdrawn(client: MlflowClient, model: str, digest: str, data: str, seed: int) -> str | None:
    """The version of a final model that a person took the alias from; None if nobody did."""
    keys = dict(zip(KEYS, (digest, data, str(seed)), strict=True))
    found = find_version(client, model, keys)
    if found is None or not found.tags.get(WITHDRAWN):
        return None
    return str(found.version)


def create_model(client: MlflowClient, model: str, study: str) -> None:
    """Create the registered model unless it is there."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(model, description=f"Champions of the study {study}.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def version_of(
    client: MlflowClient,
    model: str,
    run_id: str,
    tags: Mapping[str, str],
    judged: Mapping[str, str],
    description: str,
) -> ModelVersion:
    """The version with these tags, created with all of them in the one call if need be.

    `judged` are tags that may change when a version is looked at again, and so may its description.
    """
    found = find_version(client, model, tags)
    if found is None:
        return client.create_model_version(
            model,
            source=f"runs:/{run_id}/model",
            run_id=run_id,
            tags={**tags, **judged},
            description=description,
        )
    for name, value in judged.items():
        client.set_model_version_tag(model, found.version, name, value)
    client.update_model_version(model, found.version, description)
    return found


def registered(version: ModelVersion) -> RegisteredVersion:
    """The name, number and run of a version."""
    return RegisteredVersion(
        model=version.name, version=str(version.version), run_id=version.run_id or ""
    )


def expect(
    client: MlflowClient, model: str, expected: str | None, *, candidate_of: Mapping[str, str]
) -> None:
    """Make sure that `champion` is where it was when the decision was made.

    Args:
        client: of the registry.
        model: name of the registered model.
        expected: version that held the alias; None when none did.
        candidate_of: tags of the version that is to get it; it may hold the alias already.

    Raises:
        AliasMoved: the alias points elsewhere by now; it is left alone.
    """
    current = aliased(client, model)
    if (str(current.version) if current else None) == expected:
        return
    if current is not None and all(current.tags.get(key) == candidate_of[key] for key in KEYS):
        return
    now = f"to version {current.version}" if current else "away"
    raise AliasMoved(
        f"the alias {CHAMPION!r} of {model!r} was moved {now} while a candidate was being "
        "prepared; run the study again to compare with what it points to now"
    )


def move(client: MlflowClient, model: str, version: str, *, expected: str | None) -> None:
    """Point `champion` to a version, if it is still where the caller saw it.

    The lock keeps other commands of this home away; another home or a person in MLflow's pages is
    seen here, as late as MLflow allows.

    Raises:
        AliasMoved: the alias points elsewhere by now; it is left alone.
    """
    current = aliased(client, model)
    found = str(current.version) if current else None
    if found != expected:
        raise AliasMoved(
            f"the alias {CHAMPION!r} of {model!r} was moved meanwhile, from "
            f"{f'version {expected}' if expected else 'nobody'} to "
            f"{f'version {found}' if found else 'nobody'}; look at it, then give the command again"
        )
    client.set_registered_model_alias(model, CHAMPION, version)


def model_of(home: Home, name: str) -> str:
    """The registered model of a study; a name that no study of this home has is a model's own."""
    if name not in studies(home):
        return name
    return StudyRecord.read(home, name).study.registered_model


def parse_model(home: Home, name: str) -> tuple[str, str]:
    """A registered model, and the alias or the number of its version: `digits` is its champion,
    `digits@small` who has that alias, `digits@3` its third version.

    Raises:
        BadInput: the name is a trial's.
    """
    name, _, which = name.partition("@")
    if "/" in name:
        study = name.partition("/")[0]
        raise BadInput(
            f"{name} is a trial, and answers come from registered versions: {study} is the "
            f"champion, {study}@2 a version, {study}@small one by its alias"
        )
    return model_of(home, name), which or "champion"
