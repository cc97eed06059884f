"""The alias moved by hand: forward to a version, or back to the one before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conf.errors import BadInput
from conf.home import Home
from tasks.champion import registry
from tasks.champion.records import Registered

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

PREVIOUS = "dense.previous"


def promote(client: MlflowClient, home: Home, model: str, version: str) -> Registered:
    """Point `champion` to a version, whatever its gate said; a person's decision.

    The version remembers which one it replaced, so that `rollback` finds back.

    Raises:
        BadInput: there is no such model or version.
    """
    with registry.held(home, model):
        wanted = _version(client, model, version)
        current = registry.aliased(client, model)
        if current is not None and current.version != wanted.version:
            client.set_model_version_tag(model, version, PREVIOUS, str(current.version))
        client.set_model_version_tag(model, version, registry.WITHDRAWN, "")
        client.set_registered_model_alias(model, registry.CHAMPION, version)
    return _registered(wanted)


def rollback(client: MlflowClient, home: Home, model: str) -> Registered:
    """Point `champion` back to the version that the present one replaced.

    The present one is marked as withdrawn: a study whose best it is does not bring it back.

    Raises:
        BadInput: nobody holds the alias, or the champion replaced nobody.
    """
    with registry.held(home, model):
        current = registry.aliased(client, model)
        if current is None:
            raise BadInput(_no_champion(client, model))
        previous = current.tags.get(PREVIOUS)
        if not previous:
            raise BadInput(
                f"version {current.version} of {model!r} is its first champion; there is none "
                "before it to go back to"
            )
        wanted = _version(client, model, previous)
        client.set_model_version_tag(model, str(current.version), registry.WITHDRAWN, "true")
        client.set_registered_model_alias(model, registry.CHAMPION, previous)
    return _registered(wanted)


def _version(client: MlflowClient, model: str, version: str) -> ModelVersion:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version(model, version)
    except MlflowException as error:
        known = [str(found.version) for found in client.search_model_versions(f"name = '{model}'")]
        if not known:
            raise BadInput(_no_champion(client, model)) from error
        raise BadInput(
            f"the registered model {model!r} has no version {version}; it has "
            f"{', '.join(sorted(known, key=int))}"
        ) from error


def _no_champion(client: MlflowClient, model: str) -> str:
    known = sorted(found.name for found in client.search_registered_models(max_results=100))
    if model in known:
        return f"no version of {model!r} is its champion yet; `dense run` its study to its end"
    names = ", ".join(known) or "none yet"
    return f"there is no registered model {model!r}; registered are: {names}"


def _registered(version: ModelVersion) -> Registered:
    return Registered(model=version.name, version=str(version.version), run_id=version.run_id or "")
