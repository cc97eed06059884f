"""The model folder that is registered: program, card, signature, example, requirements.

What is scored on the test part is this folder, loaded as any user of the registry loads it, so
what was measured and what is served cannot differ.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.packaging import pyfunc_predictor, requirements, table_frame

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

Artifacts = Mapping[str, Path]
REQUIRED = ("mlflow", "numpy", "pandas", "torch")


def labels_of(classes: Sequence[str]) -> list[str] | list[int]:
    """Names of the classes as they are answered: numbers where every name is a whole number."""
    numbers = all(name.isdecimal() and str(int(name)) == name for name in classes)
    return [int(name) for name in classes] if numbers else list(classes)


def signature_of(card: Mapping[str, Any]) -> ModelSignature:
    """Raw float64 rows in, or columns where some are words, or texts where there is no shape; the
    label and the probability of every class out, or without labels the predicted number; likewise
    a second answer.

    `card` is the served one.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    answers = _answers(card)
    if second := card.get("second"):
        answers += _answers(second, f"{second['name']}/")
    if "levels" in card:
        rows = table_frame.schema(card)
    elif "shape" in card:
        rows = Schema([TensorSpec(np.dtype("float64"), (-1, *card["shape"]))])
    else:
        rows = Schema([ColSpec("string")])
    return ModelSignature(inputs=rows, outputs=Schema(answers))


def _answers(card: Mapping[str, Any], begin: str = "") -> list[Any]:
    """The columns of one answer."""
    from mlflow.types import ColSpec

    labels = card["labels"]
    if not labels:
        return [ColSpec("double", f"{begin}prediction")]
    kind = "long" if isinstance(labels[0], int) else "string"
    said = ("string", "labels") if "between" in card else (kind, "label")
    names = [said, *(("float", f"p_{name}") for name in labels)]
    return [ColSpec(kind, f"{begin}{name}") for kind, name in names]


def write_package(
    destination: Path,
    program: Path,
    card: Mapping[str, Any],
    example: Any,
    metadata: Mapping[str, Any],
    *,
    tokenizer: Path | None = None,
) -> None:
    """Write the model folder, whole or not at all.

    Args:
        destination: the folder; one that is there is replaced.
        program: the exported graph (`models.serving.export_program`).
        card: read by the served code: what `pack.answered` gives, `shape` of one raw row, `fills`,
            whether the model fills gaps (NaN) itself, and of tables with words what `columns.card`
            gives.
        example: two raw rows or more.
        metadata: what the model says of itself in its `MLmodel` file.
        tokenizer: of a model of texts, its tokenizer's file; its card has `labels` and `rules`.
    """
    facts = program.with_name("card.json")
    facts.write_text(json.dumps(dict(card)))
    artifacts = {"program": program, "card": facts, **table_frame.artifacts(card)}
    runs = "onnxruntime" if program.suffix == ".onnx" else "torch"
    required = tuple(runs if name == "torch" else name for name in REQUIRED)
    texts = tokenizer is not None
    if tokenizer is not None:
        artifacts["tokenizer"] = tokenizer
    save_model(
        destination,
        pyfunc_predictor,
        artifacts,
        signature_of(card),
        example.tolist() if texts else example,
        (*required, "tokenizers") if texts else required,
        metadata,
    )


def save_model(
    destination: Path,
    code: ModuleType,
    artifacts: Artifacts,
    signature: ModelSignature,
    example: Any,
    required: Sequence[str],
    metadata: Mapping[str, Any],
) -> None:
    """Write a model folder, whole or not at all; one that is there is replaced.

    Args:
        destination: the folder.
        code: the module whose file is what is run.
        artifacts: files that go into it, by the names that the code knows them by.
        signature: of what goes in and comes out.
        example: rows as they are given to it, two or more.
        required: packages that it needs, pinned to the versions here.
        metadata: what the model says of itself in its `MLmodel` file.
    """
    import mlflow.pyfunc

    requirements.by_name()
    temporary = destination.with_name(f".{destination.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    mlflow.pyfunc.save_model(
        temporary,
        python_model=code.__file__,
        artifacts={name: str(path) for name, path in artifacts.items()},
        signature=signature,
        input_example=example,
        # Named here: guessing them takes MLflow ten seconds, and it guesses this project too.
        pip_requirements=[f"{name}=={version(name)}" for name in required],
        metadata=dict(metadata),
    )
    shutil.rmtree(destination, ignore_errors=True)
    temporary.rename(destination)
