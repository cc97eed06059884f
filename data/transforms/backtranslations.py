"""Texts as two translations there and back leave them, made once while the data is prepared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from conf.loading.digests import canonical_json, sha256_text
from conf.runtime.errors import DenseError
from conf.runtime.home import Home
from conf.schema.augment import BackTranslation


def paraphrases_file(home: Home, key: str, wanted: BackTranslation) -> Path:
    """Where the paraphrases of one prepared data set by two models lie; `p` is the trial's."""
    models = wanted.model_dump(mode="json", exclude={"p"})
    name = f"back-translation-{sha256_text(canonical_json(models))[:16]}.arrow"
    return home.features / key / name


class Paraphrases:
    """The paraphrase of each row by its number in the source, mapped from a file."""

    def __init__(self, file: Path) -> None:
        """Open them.

        Raises:
            DenseError: they are not there; preparing the data makes them.
        """
        if not file.is_file():
            raise DenseError(f"the translations are not in {file}; run the study again")
        table = pa.ipc.open_file(pa.memory_map(str(file))).read_all()
        self._ids = table.column("id").to_numpy()
        self._texts = table.column("text")

    def get(self, number: int, text: str) -> str:
        """The row's paraphrase, or its own text where there is none."""
        place = int(np.searchsorted(self._ids, number))
        if place == len(self._ids) or self._ids[place] != number:
            return text
        return self._texts[place].as_py() or text
