"""Answer every row that can be answered; the others get the reason why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from conf.runtime.errors import BadInput
from conf.runtime.types import Ints
from data.card import Inputs, TableInputs
from data.encoding.table_encoder import row_problems, unseen
from tasks.packaging.package import package_predict
from tasks.packaging.table_frame import has_columns

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.pyfunc import PyFuncModel

    from tasks.packaging.table_frame import RawValues

    Rows = RawValues | list[str | None]


@dataclass(frozen=True)
class Answers:
    """Predictions for the rows that a model accepts."""

    frame: pd.DataFrame
    """One line per answered row."""
    answered: Ints
    """Positions of the answered rows, int64[answered]."""
    reasons: Mapping[int, str]
    """Why the others have no answer, by position."""
    unseen: Mapping[str, Counter[str]]
    """Categories that training never saw, with their rows, by column."""

    def whole(self) -> pd.DataFrame:
        """One line per row; where rows have no answer, a last column `reason` says why."""
        if not self.reasons:
            return self.frame
        import pandas as pd

        rows = len(self.answered) + len(self.reasons)
        frame = self.frame.convert_dtypes().set_axis(self.answered, axis=0).reindex(range(rows))
        reasons = pd.Series(self.reasons, dtype=object).reindex(range(rows)).fillna("")
        return frame.assign(reason=reasons)

    def remarks(self) -> list[str]:
        """Sentences on rows without an answer and on categories that training never saw."""
        sentences = []
        if self.reasons:
            rows = len(self.answered) + len(self.reasons)
            first = min(self.reasons)
            sentences.append(
                f"{len(self.reasons):,} of {rows:,} rows have no answer; "
                f"the first is row {first + 1}: {self.reasons[first]}"
            )
        for column, counts in self.unseen.items():
            named = ", ".join(f"{text!r} ({rows:,})" for text, rows in counts.most_common(5))
            more = f" and {len(counts) - 5} more" if len(counts) > 5 else ""
            sentences.append(f"{column}: training never saw {named}{more}")
        return sentences


def answer_rows(model: PyFuncModel, rows: Rows, inputs: Inputs, place: str) -> Answers:
    """Predict the rows that a model accepts.

    Args:
        model: as MLflow loads it.
        rows: raw rows: an array, a frame or texts.
        inputs: of the model's metadata.
        place: where the rows come from, for errors.

    Raises:
        BadInput: not one row can be answered.
    """
    reasons = problems_of(rows, inputs)
    answered = np.array([row for row in range(len(rows)) if row not in reasons], np.int64)
    if not len(answered):
        raise BadInput(f"{place}: no row can be answered; row 1: {reasons[0]}")
    strange = unseen(rows, inputs.specs, inputs.missing) if has_columns(inputs) else {}
    try:
        frame = package_predict(model, rows if not reasons else _selected(rows, answered))
    except ValueError as error:  # the model's own message about a value it does not accept
        raise BadInput(f"{place}: {error}") from error
    return Answers(frame, answered, reasons, strange)


def problems_of(rows: Rows, inputs: Inputs) -> dict[int, str]:
    """Why rows cannot be answered, by position; empty where all can be."""
    if isinstance(rows, list):
        return {row: "the text is missing" for row, text in enumerate(rows) if text is None}
    gaps = isinstance(inputs, TableInputs) and inputs.fill is not None
    if has_columns(inputs):
        return row_problems(rows, inputs.specs, inputs.missing, gaps=gaps)
    flat = np.asarray(rows, np.float64).reshape(len(rows), -1)
    wrong = np.isinf(flat) if gaps else ~np.isfinite(flat)
    return {int(row): "a value is missing or not finite" for row in np.flatnonzero(wrong.any(1))}


def _selected(rows: Rows, answered: Ints) -> Rows:
    if isinstance(rows, list):
        return [rows[row] for row in answered]
    return rows[answered] if isinstance(rows, np.ndarray) else rows.iloc[answered]
