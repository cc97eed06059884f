"""Libraries are patched only in the versions that the patches were checked with."""

from __future__ import annotations

from importlib.metadata import version

import lightning_utilities
import pytest
from lightning_utilities.core import imports

from conf.runtime.import_lightning import hidden
from conf.runtime.patches import CHECKED_WITH, may_patch


@pytest.mark.parametrize("package", CHECKED_WITH)
def test_the_installed_version_is_the_one_that_was_checked(package: str) -> None:
    assert may_patch(package, version(package), "nothing changes")


def test_another_version_is_not_patched_and_the_warning_names_both(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert not may_patch("mlflow", "9.9", "models load more slowly")
    warning = capsys.readouterr().err
    assert "mlflow 9.9 is not patched, models load more slowly" in warning
    assert f"checked with mlflow {CHECKED_WITH['mlflow']}" in warning


def test_hidden_packages_are_missing_only_meanwhile() -> None:
    with hidden(("numpy",)):
        assert not imports.package_available("numpy")
        assert not imports.RequirementCache("numpy>1")
        assert imports.package_available("torch")
    assert imports.package_available("numpy")
    assert imports.RequirementCache("numpy>1")


def test_another_version_of_lightning_utilities_hides_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lightning_utilities, "__version__", "0.0.1")
    with hidden(("numpy",)):
        assert imports.package_available("numpy")
    assert "lightning-utilities 0.0.1 is not patched" in capsys.readouterr().err
