"""Versions of libraries whose private functions are patched.

Private functions change without notice. Each patch is therefore installed only with the version of
the library that it was checked with; with another version the library's own functions stay.
"""

from __future__ import annotations

import sys

CHECKED_WITH = {
    "lightning-utilities": "0.15.3",  # conf/runtime/import_lightning.py
    "mlflow": "3.17.2",  # tasks/packaging/package.py
    "pytorch-lightning": "2.6.6",  # tasks/train/trial/lightning_patches.py
}
"""Package to the version whose private functions the patches were compared with."""


def may_patch(package: str, installed: str, consequence: str) -> bool:
    """Whether a library may be patched; otherwise a warning is printed to stderr.

    Args:
        package: name of the distribution, a key of `CHECKED_WITH`.
        installed: version that is imported.
        consequence: what is different without the patch, for the warning.
    """
    checked = CHECKED_WITH[package]
    if installed == checked:
        return True
    # printed: trials silence libraries' loggers, and `warnings` shows a text only once
    print(
        f"warning: {package} {installed} is not patched, {consequence}: the patch in this version "
        f"of dense was checked with {package} {checked}",
        file=sys.stderr,
    )
    return False
