"""What the trial server imports ahead: for studies that need it, and for no others."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from conf.runtime.home import Home
from conf.schema.study import Study
from tasks.train.engine.preload import modules_of
from tests.tiny import study_of, tiny_bert


@pytest.mark.parametrize("kind", ["cnn", "mlp", "text_cnn", "gru"])
def test_networks_from_scratch_need_nothing_more(kind: str, home: Home) -> None:
    model = Study.model_validate({"name": "a", "model": {"kind": kind}}).model
    assert modules_of(model, home) == ()


@pytest.mark.parametrize("kind", ["random_forest", "gradient_boosting", "svm", "knn", "linear"])
def test_an_estimator_needs_its_libraries(kind: str, home: Home) -> None:
    from models.estimators.build import build_estimator

    study = Study.model_validate(
        {"name": "a", "data": {"source": "builtin", "name": "wine"}, "model": {"kind": kind}}
    )
    found = modules_of(study.model, home)
    for targets in (np.array([0, 0, 1, 1]), np.array([0.0, 0.5, 1.0, 1.5])):
        built = [
            build_estimator(study.model, 0, 1, targets, texts=texts)  # type: ignore[arg-type]
            for texts in {False, kind == "linear"}
        ]
        parts = [
            part for each in built for part in (each, *getattr(each, "named_steps", {}).values())
        ]
        for module in {type(part).__module__ for part in parts}:
            assert any(f"{module}.".startswith(f"{name}.") for name in found), module
    assert "skops.io" in found


def test_a_pre_trained_model_needs_its_library_and_its_architecture(home: Home) -> None:
    model = Study.model_validate(study_of()).model
    missing = modules_of(model, home)
    assert "models.pretrained.text_classifier" in missing and not any(
        "bert" in name for name in missing
    )
    tiny_bert(home.path / "sources" / "bert")
    found = modules_of(model, home)
    assert "transformers.models.bert.modeling_bert" in found
    assert all(importlib.util.find_spec(name) for name in found)


def test_the_server_loads_no_transformers_until_it_is_asked() -> None:
    script = (
        "import sys\n"
        "from tasks.train.trial.server import preload, warm_up\n"
        "warm_up()\n"
        "assert not {'transformers', 'peft'} & set(sys.modules), 'imported for all'\n"
        "preload(['no.such.module', 'models.pretrained.text_classifier'])\n"
        "assert 'models.pretrained.text_classifier' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "no.such.module was not preloaded" in done.stderr
