"""The alias moved by hand: forward to a version, or back to the one before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from tasks.packaging.records import RegisteredVersion
from tasks.registry import aliases as registry

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

PREVIOUS = "dense.previous"


@dataclass(frozen=True)
class Moved:
    """Where the alias went."""

    now: RegisteredVersion
    before: str | None
    """Version that held it; None when none did."""


def promote(client: MlflowClient, home: Home, model: str, version: str | None = None) -> Moved:
    """Point `champion` to a version, whatever its gate said; a person's decision.

    The version remembers which one it replaced, so that `rollback` finds back.

    Args:
        client: of the registry.
        home: whose lock keeps a study that crowns waiting.
        model: registered model.
        version: absent: the one that came last, under the alias `challenger`.

    Raises:
        BadInput: there is no such model or version, or it is the champion already.
        AliasMoved: somebody elsewhere moved the alias at the same moment.
    """
    with registry.held(home, model):
        version = version or _challenger(client, model)
        wanted = _version(client, model, version)
        current = registry.aliased(client, model)
        before = None if current is None else str(current.version)
        if before == version:
            raise BadInput(f"version {version} of {model!r} is its champion already")
        if before is not None:
            client.set_model_version_tag(model, version, PREVIOUS, before)
        client.set_model_version_tag(model, version, registry.WITHDRAWN, "")
        registry.move(client, model, version, expected=before)
    return Moved(registry.registered(wanted), before)


def rollback(client: MlflowClient, home: Home, model: str) -> Moved:
    """Point `champion` back to the version that the present one replaced.

    The present one is marked as withdrawn: a study whose best it is does not bring it back.

    Raises:
        BadInput: nobody holds the alias, the champion replaced nobody, or who it replaced is gone.
        AliasMoved: somebody elsewhere moved the alias at the same moment.
    """
    with registry.held(home, model):
        current = registry.aliased(client, model)
        if current is None:
            raise BadInput(no_champion(client, model))
        before, previous = str(current.version), current.tags.get(PREVIOUS)
        if not previous:
            raise BadInput(
                f"version {before} of {model!r} is its first champion; there is none "
                "before it to go back to"
            )
        wanted = _version(client, model, previous)
        # Before the move: who dies in between gives the command again, and goes one step back.
        client.set_model_version_tag(model, before, registry.WITHDRAWN, "true")
        registry.move(client, model, previous, expected=before)
    return Moved(registry.registered(wanted), before)


def _challenger(client: MlflowClient, model: str) -> str:
    found = registry.aliased(client, model, registry.CHALLENGER)
    if found is None:
        raise BadInput(no_champion(client, model))
    return str(found.version)


def _version(client: MlflowClient, model: str, version: str) -> ModelVersion:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version(model, version)
    except MlflowException as error:
        known = [str(found.version) for found in client.search_model_versions(f"name = '{model}'")]
        if not known:
            raise BadInput(no_champion(client, model)) from error
        raise BadInput(
            f"the registered model {model!r} has no version {version}; it has "
            f"{', '.join(sorted(known, key=int))}"
        ) from error


def meant(client: MlflowClient, model: str, which: str = registry.CHAMPION) -> ModelVersion:
    """The version of a registered model that an alias or a number means.

    Raises:
        BadInput: there is none; names those that there are.
    """
    if which.isdigit():
        return _version(client, model, which)
    found = registry.aliased(client, model, which)
    if found is not None:
        return found
    versions = client.search_model_versions(f"name = '{model}'")
    if which == registry.CHAMPION or not versions:
        raise BadInput(no_champion(client, model))
    aliases = ", ".join(sorted(client.get_registered_model(model).aliases)) or "none"
    numbers = ", ".join(sorted((str(each.version) for each in versions), key=int))
    raise BadInput(
        f"no version of {model!r} has the alias {which!r}; its aliases are {aliases}, its versions "
        f"{numbers}"
    )


def no_champion(client: MlflowClient, model: str) -> str:
    """Why nobody answers to the alias, with the names that there are."""
    known = sorted(found.name for found in client.search_registered_models(max_results=100))
    if model in known:
        return (
            f"no version of {model!r} is its champion; `dense run` its study to its end, or "
            f"`dense promote` one of its versions"
        )
    names = ", ".join(known) or "none yet"
    return f"there is no registered model {model!r}; registered are: {names}"
