"""Save and load scikit-learn estimators without pickle, by skops."""

from __future__ import annotations

import json
from copy import copy
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from conf.runtime.errors import DenseError
from conf.runtime.types import Array

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

# Types inside our estimators that skops does not trust by default; no others are loaded.
TRUSTED = (
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.model_selection._split.StratifiedKFold",
)


def as_bytes(estimator: BaseEstimator) -> bytes:
    """Serialise an estimator by skops.

    The vocabulary of n-grams is stored as one JSON string, since skops would write a file for each
    of its entries.
    """
    import skops.io

    if hasattr(estimator, "steps"):
        ngrams, estimator = copy(estimator[0]), copy(estimator)
        vocabulary = ngrams.vocabulary_
        ngrams.vocabulary_ = json.dumps(sorted(vocabulary, key=vocabulary.__getitem__))
        estimator.steps = [(estimator.steps[0][0], ngrams), estimator.steps[1]]
    content: bytes = skops.io.dumps(estimator)
    return content


def same_estimators(one: Path, other: Path) -> bool:
    """Whether two skops files contain the same arrays and settings, bit for bit.

    The files themselves differ, since skops names arrays by memory address.
    """
    return _content(one) == _content(other)


def _content(path: Path) -> object:
    from zipfile import ZipFile

    with ZipFile(path) as file:

        def plain(node: object) -> object:
            if isinstance(node, list):
                return [plain(each) for each in node]
            if not isinstance(node, dict):
                return node
            kept = {name: plain(each) for name, each in node.items() if name != "__id__"}
            if "file" in kept:
                kept["file"] = _values(np.load(BytesIO(file.read(node["file"]))))
            return kept

        return plain(json.loads(file.read("schema.json")))


def _values(array: Array) -> tuple[object, ...]:
    """The bytes of an array, without the padding between the fields of a structured one."""
    fields = array.dtype.names or ()
    columns = [array[name].tobytes() for name in fields] or [array.tobytes()]
    return (array.shape, str(array.dtype), *columns)


def load_estimator(path: Path) -> BaseEstimator:
    """An estimator from a skops file.

    Raises:
        DenseError: The file is missing, damaged, or contains types that are not trusted.
    """
    from zipfile import BadZipFile

    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        estimator = skops.io.load(path, trusted=list(TRUSTED))
        if hasattr(estimator, "steps"):
            ngrams = json.loads(estimator[0].vocabulary_)
            estimator[0].vocabulary_ = {ngram: index for index, ngram in enumerate(ngrams)}
        return estimator
    except (OSError, ValueError, KeyError, BadZipFile, UntrustedTypesFoundException) as error:
        raise DenseError(
            f"{path} cannot be read as a trained estimator ({error}); delete its folder and run "
            "the study again to retrain it"
        ) from error
