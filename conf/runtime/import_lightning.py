"""Lightning as `pl`, imported in 1.7 instead of 4.4 seconds of processor time.

Lightning imports torchmetrics for one base class, and torchmetrics imports transformers, SciPy and
matplotlib, where they are installed, for text and audio metrics that no trial computes. During the
import the check for installed packages, which is lightning-utilities', reports them as missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import lightning_utilities
from lightning_utilities.core import imports

from conf.runtime.patches import may_patch

UNUSED = ("transformers", "scipy", "matplotlib")


@contextmanager
def hidden(packages: tuple[str, ...]) -> Iterator[None]:
    """Let lightning-utilities report these packages as not installed.

    A version of it that the patch was not checked with is left as it is: the import is slower.
    """
    version = lightning_utilities.__version__
    if not may_patch("lightning-utilities", version, "Lightning is imported more slowly"):
        yield
        return
    cache, available = imports.RequirementCache.__bool__, imports.package_available

    def meets(self: imports.RequirementCache) -> bool:
        return not (self.requirement or "").startswith(packages) and cache(self)

    def is_available(name: str) -> bool:
        return name not in packages and available(name)

    imports.RequirementCache.__bool__ = meets  # type: ignore[method-assign]
    imports.package_available = is_available  # type: ignore[assignment]
    try:
        yield
    finally:
        imports.RequirementCache.__bool__ = cache  # type: ignore[method-assign]
        imports.package_available = available


with hidden(UNUSED):
    import torchmetrics  # noqa: F401

import pytorch_lightning as pl  # noqa: E402

__all__ = ["pl"]
