"""MLflow's comparison of a model's requirements with what is installed, made quickly."""

from __future__ import annotations


def by_name() -> None:
    """Let MLflow find the installed packages by their names alone; a second call does nothing.

    Where a model is saved or loaded, MLflow warns of versions that differ from the model's. Before
    it does, it lists the files of every package that is installed: half a second of processor time,
    for packages that are installed without saying their names. A model here requires none such.
    """
    from mlflow.utils import requirements_utils

    requirements_utils._PACKAGES_TO_MODULES = {}
    requirements_utils._init_packages_to_modules_map = _known


def _known() -> None:
    """Nothing is to be found out."""
