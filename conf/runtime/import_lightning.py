"""Lightning as `pl`, imported in 1.7 instead of 4.4 seconds of processor time.

Lightning imports torchmetrics for one base class, and torchmetrics imports transformers, SciPy and
matplotlib, where they are installed, for metrics of texts and sounds that no trial computes. While
it is imported here they are said not to be installed; afterwards they are again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lightning_utilities.core import imports

UNUSED = ("transformers", "scipy", "matplotlib")


@contextmanager
def said_to_be_absent(packages: tuple[str, ...]) -> Iterator[None]:
    """Let whoever asks as Lightning's libraries do hear that these packages are not installed."""
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


with said_to_be_absent(UNUSED):
    import torchmetrics  # noqa: F401

import pytorch_lightning as pl  # noqa: E402

__all__ = ["pl"]
