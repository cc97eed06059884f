"""The packed model answers as the network does, whatever kind of rows it takes."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
import torch

from conf.schema.study import TrialConfig
from models.build import build_net
from models.estimators.skops_io import as_bytes
from models.serving import Serving
from tasks.packaging import table_frame
from tasks.packaging.pack_estimator import estimator_files
from tasks.packaging.pack_network import network_files
from tasks.packaging.package import compare_requirements_by_name, labels_of, save_model
from tasks.packaging.raw_rows import raw_shape
from tasks.packaging.table_frame import frame
from tasks.packaging.torch_export import export_program
from tests.cards import as_card, as_inputs

TABLE: Any = as_inputs(
    {"kind": "table", "names": list("abcde"), "shift": [1.0] * 5, "scale": [2.0] * 5, "fill": None}
)
IMAGE: Any = as_inputs({"kind": "image", "high": 16.0, "scale": [16.0]})
COLOUR: Any = as_inputs({"kind": "image", "channels": 3, "scale": [255.0] * 3})
CNN, MLP = {"kind": "cnn", "width": 4}, {"kind": "mlp", "width": 4}


def packed(
    folder: Path, model: dict[str, Any], inputs: Any, classes: list[str]
) -> tuple[Serving, Any]:
    """An untrained network, as it is and as it is served."""
    torch.manual_seed(0)
    config = TrialConfig.model_validate({"model": model})
    serving = Serving(
        build_net(config, as_card({"inputs": inputs.as_json(), "classes": classes})), inputs
    )
    shape = raw_shape(inputs)
    program = folder / "program.pt2"
    export_program(serving, shape, program)
    card = {"labels": labels_of(classes), "shape": list(shape)}
    card["fills"] = getattr(inputs, "fill", None) is not None
    card |= table_frame.card(inputs)
    zeros = np.zeros((2, *shape))
    example = frame(zeros, inputs) if table_frame.has_columns(inputs) else zeros
    save_model(folder / "model", network_files(program, card, example), {})
    return serving, mlflow.pyfunc.load_model(str(folder / "model"))


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        pytest.param(CNN, IMAGE, id="grey images"),
        pytest.param(CNN, COLOUR, id="colour images"),
        pytest.param(MLP, TABLE, id="table"),
    ],
)
def test_it_answers_as_the_network_for_any_number_of_rows(
    tmp_path: Path, model: dict[str, Any], inputs: Any
) -> None:
    serving, served = packed(tmp_path, model, inputs, ["red", "green", "blue"])
    rows = np.random.default_rng(0).uniform(0, 16, (7, *raw_shape(inputs)))
    for count in (1, 2, 7):
        answers = served.predict(rows[:count])
        with torch.no_grad():
            wanted = serving(torch.from_numpy(rows[:count])).numpy()
        assert list(answers.columns) == ["label", "p_red", "p_green", "p_blue"]
        assert np.allclose(answers.iloc[:, 1:], wanted, atol=1e-6)
        names = np.array(["red", "green", "blue"])
        assert answers["label"].tolist() == names[wanted.argmax(1)].tolist()


def test_gaps_are_filled_only_by_a_model_that_was_trained_on_filled_ones(tmp_path: Path) -> None:
    for name, fill in (("plain", None), ("filling", (9.0,) * 5)):
        folder = tmp_path / name
        folder.mkdir()
        _, served = packed(folder, MLP, TABLE.model_copy(update={"fill": fill}), ["0", "1"])
        gap = np.array([[1.0, np.nan, 1.0, 1.0, 1.0]])
        if fill is None:
            with pytest.raises(ValueError, match="not finite"):
                served.predict(gap)
        else:
            filled = served.predict(np.nan_to_num(gap, nan=9.0))
            assert served.predict(gap).equals(filled)
            with pytest.raises(ValueError, match="not finite"):
                served.predict(gap * np.inf)


def test_no_pickle_is_in_the_package(tmp_path: Path) -> None:
    packed(tmp_path, CNN, IMAGE, ["0", "1"])
    files = [path for path in (tmp_path / "model").rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix in (".pkl", ".pickle", ".pth", ".pt")]
    (program,) = [path for path in files if path.suffix == ".pt2"]
    with zipfile.ZipFile(program) as archive:
        for name in archive.namelist():
            assert not archive.read(name).startswith((b"\x80\x02", b"\x80\x04", b"PK"))


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        pytest.param(["0", "1", "10"], [0, 1, 10], id="whole numbers"),
        pytest.param(["0", "01"], ["0", "01"], id="not as they are written"),
        pytest.param(["cat", "7"], ["cat", "7"], id="mixed"),
    ],
)
def test_labels(names: list[str], labels: list[object]) -> None:
    assert labels_of(names) == labels


WORDS: Any = as_inputs(
    {
        "kind": "table",
        "names": ["size", "city=Lyon", "city=Paris", "sex=f"],
        "levels": {"city": ["Lyon", "Paris"], "sex": ["f"]},
        "shift": [2.0, 0.0, 0.0, 0.0],
        "scale": [2.0, 1.0, 1.0, 1.0],
    }
)
FRAME = pd.DataFrame({"city": ["Paris", "Rome", " Lyon"], "extra": [0, 0, 0], "size": [1, 2, 3]})
FRAME["sex"] = ["f", "m", "f"]
MATRIX = np.array([[1.0, 0, 1, 1], [2, 0, 0, 0], [3, 1, 0, 1]])


def test_a_model_of_words_takes_the_columns_that_its_users_have(tmp_path: Path) -> None:
    serving, served = packed(tmp_path, MLP, WORDS, ["red", "green"])
    with torch.no_grad():
        wanted = serving(torch.from_numpy(MATRIX)).numpy()
    for rows in (FRAME, FRAME.to_dict("records"), FRAME.convert_dtypes()):
        assert np.allclose(served.predict(rows).iloc[:, 1:], wanted, atol=1e-6)
    assert np.allclose(served.predict(frame(MATRIX, WORDS)).iloc[:, 1:], wanted, atol=1e-6)
    with pytest.raises(mlflow.MlflowException, match=r"missing inputs .*city"):
        served.predict(FRAME.drop(columns="city"))
    for column, value, message in (
        ("city", None, "not finite"),
        ("size", "big", "'size' holds 'big' in row 1, which is no number"),
    ):
        with pytest.raises(ValueError, match=message):
            served.predict(FRAME.astype({column: object}).assign(**{column: value}))


def test_an_estimator_of_words_does_so_too(tmp_path: Path) -> None:
    from sklearn.neighbors import KNeighborsClassifier

    path, labels = tmp_path / "estimator.skops", {"labels": ["red", "green"]}
    scaled = (MATRIX - WORDS.shift) / WORDS.scale
    estimator = KNeighborsClassifier(1, algorithm="brute").fit(scaled, [0, 1, 1])
    path.write_bytes(as_bytes(estimator))
    inputs = WORDS.model_copy(update={"fill": (0.0,) * 4})
    files = estimator_files(path, labels, inputs, frame(MATRIX, WORDS), tmp_path)
    save_model(tmp_path / "model", files, {})
    served = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    assert served.predict(FRAME)["label"].tolist() == ["red", "green", "green"]
    gaps = FRAME.assign(city=None)  # a gap is filled in: it is none of the words
    assert len(served.predict(gaps)) == 3


def test_requirements_are_compared_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.utils import requirements_utils

    def slow() -> None:
        raise AssertionError("every package's files were listed")

    monkeypatch.setattr(requirements_utils.importlib_metadata, "packages_distributions", slow)
    monkeypatch.setattr(requirements_utils, "_MODULES_TO_PACKAGES", None)
    compare_requirements_by_name()
    compared = requirements_utils._check_requirement_satisfied
    assert compared(f"numpy=={np.__version__}") is None
    assert compared("numpy==0.1").installed_version == np.__version__
    assert compared("no-such-package==1.0").installed_version is None


def test_another_version_of_mlflow_lists_packages_as_it_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlflow import version
    from mlflow.utils import requirements_utils

    own = object()
    monkeypatch.setattr(requirements_utils, "_init_packages_to_modules_map", own)
    monkeypatch.setattr(version, "VERSION", "3.99.0")
    compare_requirements_by_name()
    assert requirements_utils._init_packages_to_modules_map is own
    assert "mlflow 3.99.0 is not patched" in capsys.readouterr().err
