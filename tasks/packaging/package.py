"""The model folder that is registered: code, artifacts, signature, example, requirements.

The test split is scored with this folder, loaded as any user of the registry loads it, so the
measured and the served model cannot differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from conf.runtime.atomic_write import atomic_path
from conf.runtime.patches import may_patch
from data.card import DataCard
from tasks.packaging import table_frame

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.pyfunc import PyFuncModel
    from mlflow.types import ColSpec, TensorSpec

    from tasks.packaging.table_frame import RawValues

Artifacts = Mapping[str, Path]
"""Files and folders of a model, by the names by which its code looks them up."""


@dataclass(frozen=True)
class ModelFiles:
    """Everything that goes into a model folder."""

    code: ModuleType
    """The stand-alone module that MLflow copies and runs."""
    artifacts: Artifacts
    signature: ModelSignature
    example: RawValues | list[str]
    """Two raw rows or more."""
    required: Sequence[str]
    """Packages, which are pinned to the installed versions."""
    weights: str
    """Pattern of the artifact that identifies the trained weights; the first match counts."""


def save_model(destination: Path, files: ModelFiles, metadata: Mapping[str, Any]) -> None:
    """Write a model folder, whole or not at all.

    Args:
        destination: the folder; an existing one is replaced.
        files: what goes into it.
        metadata: for its `MLmodel` file.
    """
    import mlflow.pyfunc

    compare_requirements_by_name()
    with atomic_path(destination) as folder:
        mlflow.pyfunc.save_model(
            folder,
            python_model=files.code.__file__,
            artifacts={name: str(path) for name, path in files.artifacts.items()},
            signature=files.signature,
            input_example=files.example,
            # Inferring them takes MLflow ten seconds, and it would add this project.
            pip_requirements=[f"{name}=={version(name)}" for name in files.required],
            metadata=dict(metadata),
        )


def labels_of(classes: Sequence[str]) -> list[str] | list[int]:
    """The predicted labels of the classes: integers if every name is a whole number."""
    numbers = all(name.isdecimal() and str(int(name)) == name for name in classes)
    return [int(name) for name in classes] if numbers else list(classes)


def output_card(card: DataCard) -> dict[str, Any]:
    """The part of the served card that describes the output.

    `labels` of the target; `between`, the separator of several labels in one cell, if it is
    multi-label; and `second`, the name and labels of the auxiliary target, if there is one.
    """
    between = {"between": card.label_separator} if card.multilabel else {}
    return {"labels": labels_of(card.classes), **between, **auxiliary_output(card)}


def auxiliary_output(card: DataCard) -> dict[str, Any]:
    """Name and labels of the auxiliary target; empty if there is none."""
    second = card.second
    if second is None:
        return {}
    return {"second": {"name": second.name, "labels": labels_of(second.classes)}}


def signature_of(card: Mapping[str, Any]) -> ModelSignature:
    """The signature that follows from a served card.

    Inputs are columns if the card has `levels` (categorical columns), raw float64 rows if it has a
    `shape`, else texts. Outputs are the label and the probability of every class, or the predicted
    number; likewise of the auxiliary target.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    outputs = _outputs(card)
    if second := card.get("second"):
        outputs += _outputs(second, f"{second['name']}/")
    if "columns" in card:
        inputs = table_frame.schema(card)
    elif "shape" in card:
        inputs = Schema([TensorSpec(np.dtype("float64"), (-1, *card["shape"]))])
    else:
        inputs = Schema([ColSpec("string")])
    return ModelSignature(inputs=inputs, outputs=Schema(outputs))


def _outputs(card: Mapping[str, Any], prefix: str = "") -> list[ColSpec | TensorSpec]:
    """The columns of one target."""
    from mlflow.types import ColSpec

    labels = card["labels"]
    if not labels:
        return [ColSpec("double", f"{prefix}prediction")]
    kind = "long" if isinstance(labels[0], int) else "string"
    label = ("string", "labels") if "between" in card else (kind, "label")
    columns = [label, *(("float", f"p_{name}") for name in labels)]
    return [ColSpec(kind, f"{prefix}{name}") for kind, name in columns]


def package_metadata(model: PyFuncModel) -> dict[str, Any]:
    """What a loaded package says of itself: `config`, `inputs`, `labels`, `objective`, `second`."""
    metadata: dict[str, Any] | None = model.metadata.metadata
    assert metadata is not None  # every packer writes it
    return metadata


def package_predict(model: PyFuncModel, rows: RawValues | Sequence[str | None]) -> pd.DataFrame:
    """The answers of a loaded package, one row for each raw row.

    Raises:
        ValueError: the package does not accept a value.
    """
    answers: Any = model.predict(rows)
    frame: pd.DataFrame = answers
    return frame


def compare_requirements_by_name() -> None:
    """Make MLflow look up installed packages by name only; a second call does nothing.

    When a model is saved or loaded, MLflow warns of versions that differ from the model's. Before
    that it lists the files of every installed package, half a second of processor time, to find
    modules whose package has another name. The models here require no such package. A version of
    MLflow that this was not checked with is left as it is (`conf.runtime.patches`).
    """
    from mlflow.utils import requirements_utils
    from mlflow.version import VERSION

    if not may_patch("mlflow", VERSION, "models load and save half a second slower"):
        return
    requirements_utils._PACKAGES_TO_MODULES = {}  # type: ignore[assignment]
    requirements_utils._init_packages_to_modules_map = _skip


def _skip() -> None:
    """Skip the listing."""
