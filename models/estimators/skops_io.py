"""Save and load scikit-learn estimators without pickle, by skops."""

from __future__ import annotations

import json
from copy import copy
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conf.runtime.errors import DenseError

# What our estimators hold and skops does not know by itself; nothing else is ever loaded.
TRUSTED = (
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.model_selection._split.StratifiedKFold",
)


def as_bytes(estimator: Any) -> bytes:
    """An estimator as a skops file.

    The vocabulary of n-grams is stored as one JSON string: skops would write a file for every entry
    of a mapping.
    """
    import skops.io

    if hasattr(estimator, "steps"):
        ngrams, estimator = copy(estimator[0]), copy(estimator)
        known = ngrams.vocabulary_
        ngrams.vocabulary_ = json.dumps(sorted(known, key=known.__getitem__))
        estimator.steps = [(estimator.steps[0][0], ngrams), estimator.steps[1]]
    content: bytes = skops.io.dumps(estimator)
    return content


def same_estimators(one: Path, other: Path) -> bool:
    """Whether two skops files hold the same numbers and settings, bit for bit.

    The files themselves differ: they name arrays by memory addresses.
    """
    return _content(one) == _content(other)


def _content(path: Path) -> Any:
    from zipfile import ZipFile

    with ZipFile(path) as file:

        def plain(node: Any) -> Any:
            if isinstance(node, list):
                return [plain(each) for each in node]
            if not isinstance(node, dict):
                return node
            kept = {name: plain(each) for name, each in node.items() if name != "__id__"}
            if "file" in kept:
                kept["file"] = _values(np.load(BytesIO(file.read(node["file"]))))
            return kept

        return plain(json.loads(file.read("schema.json")))


def _values(array: NDArray) -> tuple[Any, ...]:
    """The values of an array, without the padding between fields of its rows."""
    fields = array.dtype.names or ()
    columns = [array[name].tobytes() for name in fields] or [array.tobytes()]
    return (array.shape, str(array.dtype), *columns)


def load_estimator(path: Path) -> Any:
    """An estimator from a skops file.

    Raises:
        DenseError: the file is missing, damaged, or holds types that are not trusted.
    """
    from zipfile import BadZipFile

    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        found = skops.io.load(path, trusted=list(TRUSTED))
        if hasattr(found, "steps"):
            ngrams = json.loads(found[0].vocabulary_)
            found[0].vocabulary_ = {ngram: place for place, ngram in enumerate(ngrams)}
        return found
    except (OSError, ValueError, KeyError, BadZipFile, UntrustedTypesFoundException) as error:
        raise DenseError(
            f"{path} cannot be read as a trained estimator ({error}); delete its folder and run "
            "the study again to train it anew"
        ) from error
