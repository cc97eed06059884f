"""Explain some answers of a packed champion; called where the test part is read, by the scoring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conf.runtime.atomic_write import write_atomically
from conf.runtime.errors import BadInput
from conf.runtime.types import Floats, Ints
from data.card import DataCard, ImageInputs, TableInputs
from models.serving import Serving, TextServing
from tasks.evaluate import metrics
from tasks.evaluate.predictions import ArrayPredictions, NumberPredictions
from tasks.explain import image_maps, integrated_gradients, permutation, token_maps
from tasks.explain.select_rows import chosen, described, looked_at
from tasks.packaging.benchmark import predict
from tasks.packaging.explanations import EXPLAINED, Attribution, ExplainedRow, Explanation
from tasks.packaging.pack_network import TextReader, load_trained, text_encoder
from tasks.packaging.raw_rows import RawRows
from tasks.packaging.records import Candidate
from tasks.train.folder import TrialFolder

if TYPE_CHECKING:
    from mlflow.pyfunc import PyFuncModel
    from pandas import DataFrame

SHOWN_COLUMNS = 6
"""Of one row, those that count most."""


@dataclass(frozen=True)
class Subject:
    """A champion and what it said of the test rows."""

    candidate: Candidate
    card: DataCard
    folder: Path
    """Of its training."""
    parts: Path
    """Of the prepared data."""
    model: PyFuncModel
    rows: RawRows
    said: ArrayPredictions

    @property
    def kind(self) -> str:
        """Of the data."""
        return self.card.inputs.kind

    @cached_property
    def serving(self) -> Serving | TextServing:
        """The network, whose gradients the packed graph does not give."""
        return load_trained(self.candidate, self.card, TrialFolder(self.folder).weights, self.parts)

    @cached_property
    def table(self) -> DataFrame:
        """The rows of a table as named columns."""
        from pandas import DataFrame

        assert isinstance(self.card.inputs, TableInputs)
        names = list(self.card.inputs.names)
        values = self.rows.values
        return values if isinstance(values, DataFrame) else DataFrame(values, columns=names)

    def raw(self, table: DataFrame) -> Any:
        """Named columns as the model takes them."""
        return table if isinstance(self.rows.values, type(table)) else table.to_numpy(copy=True)

    def output(self, place: int) -> int:
        """Which output of the network a row's answer is."""
        return int(looked_at(self.said)[place])


def explain(subject: Subject, count: int) -> None:
    """Write `explained.json`: so many right and so many wrong answers, of tables also the columns.

    What cannot be explained says why in it.
    """
    try:
        found = _explained(subject, count)
    except (BadInput, RuntimeError) as error:  # a layer without gradients is a RuntimeError
        found = _empty(subject, why_not=(str(error).splitlines() or [repr(error)])[0])
    write_atomically(subject.folder / EXPLAINED, found.model_dump_json() + "\n")


def _empty(subject: Subject, **given: Any) -> Explanation:
    objective = subject.candidate.objective
    return Explanation.model_validate({"kind": subject.kind, "objective": objective, **given})


def _explained(subject: Subject, count: int) -> Explanation:
    classes = subject.card.classes
    right, wrong = chosen(subject.said, count)
    examples = [
        _example(subject, place, described(subject.said, place, right=good, classes=classes))
        for good, places in ((True, right), (False, wrong))
        for place in places
    ]
    found = _empty(subject, examples=[each.model_dump() for each in examples])
    if subject.kind != "table":
        return found
    lost = permutation.importance(subject.table, _quality(subject), subject.candidate.seed)
    return found.model_copy(update={"columns": lost})


def _example(subject: Subject, place: int, plain: ExplainedRow) -> ExplainedRow:
    """One answer with what it rests on."""
    of = {"image": _pixels, "text": _tokens, "table": _columns}[subject.kind]
    return plain.model_copy(update=of(subject, place))


def _pixels(subject: Subject, place: int) -> dict[str, Any]:
    assert isinstance(subject.serving, Serving)
    image, inputs = subject.rows.values[place], subject.card.inputs
    assert isinstance(inputs, ImageInputs)
    weights = integrated_gradients.of_pixels(subject.serving, image, subject.output(place))
    return {"picture": image_maps.picture(image, inputs), "heat": image_maps.heat(weights)}


def _tokens(subject: Subject, place: int) -> dict[str, Any]:
    model = subject.candidate.config.model
    if not model.capabilities.epochs:
        answer = _answer(subject, place)
        weighed = token_maps.left_out(
            str(subject.rows.values[place]), lambda texts: answer(np.array(texts, dtype=object))
        )
        return {"pieces": weighed}
    serving = subject.serving
    assert isinstance(model, TextReader) and isinstance(serving, TextServing)
    encoder = text_encoder(model, subject.parts)
    text = str(subject.rows.values[place])
    read = token_maps.read(text, encoder)
    weights = integrated_gradients.of_tokens(
        serving, read.tokens, subject.output(place), encoder.rules.pad, read.special
    )
    return {"pieces": token_maps.weighed(text, read, weights)}


def _columns(subject: Subject, place: int) -> dict[str, tuple[Attribution, ...]]:
    answer = _answer(subject, place)
    found = permutation.counted(
        subject.table, place, lambda rows: answer(subject.raw(rows)), subject.candidate.seed
    )
    return {"pieces": found[:SHOWN_COLUMNS]}


def _answer(subject: Subject, place: int) -> Callable[[Any], Floats]:
    """Of raw rows, what the packed model gives for the output that a row's answer is."""
    output = subject.output(place)

    def answer(values: Any) -> Floats:
        blank = np.zeros(len(values), dtype=np.int64)
        said = predict(subject.model, RawRows(blank, blank, values))
        if isinstance(said, NumberPredictions):
            return said.predictions
        return said.probabilities[:, output].astype(np.float64)

    return answer


def _quality(subject: Subject) -> permutation.Quality:
    evaluate, rows = subject.candidate.config.evaluate, subject.rows
    sign = 1.0 if evaluate.direction == "maximize" else -1.0

    def quality(changed: DataFrame, places: Ints) -> float:
        raw = RawRows(rows.ids[places], rows.targets[places], subject.raw(changed))
        said = predict(subject.model, raw)
        return sign * metrics.score(said, evaluate, [evaluate.objective])[evaluate.objective]

    return quality
