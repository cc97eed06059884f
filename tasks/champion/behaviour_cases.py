"""Cases of a gate's behavioural tests: read, and checked against the data before training."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from conf.loading.validate import did_you_mean
from conf.runtime.allowed_paths import confined
from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.behaviour import Behaviour, Pair, Push
from conf.schema.study import Study
from data.card import DataCard, TableInputs

KEY = "champion.gate.behaviour"


def text_pairs(behaviour: Behaviour, home: Home) -> tuple[Pair, ...]:
    """All pairs of texts: those of the study file, then those of its file of cases.

    Raises:
        BadInput: the file is missing, outside the allowed folders, or not a table of pairs.
    """
    if behaviour.file is None:
        return behaviour.pairs
    file = confined(behaviour.file, home, key=f"{KEY}.file")
    return (*behaviour.pairs, *read_pairs(file))


def read_pairs(file: Path) -> tuple[Pair, ...]:
    """Pairs from a table with the columns `higher`, `lower` and, for classification, `of`.

    Raises:
        BadInput: the message names the file, and the row and column at fault.
    """
    try:
        rows = list(_rows(file))
    except (OSError, ValueError, csv.Error) as error:
        raise BadInput(f"{KEY}.file: {file} cannot be read as test cases: {error}") from error
    if not rows:
        raise BadInput(f"{KEY}.file: {file} has no rows; add at least one case, or remove the key")
    return tuple(_pair(row, number, file) for number, row in enumerate(rows, 1))


def _rows(file: Path) -> Iterator[Mapping[str, Any]]:
    if file.suffix == ".csv":
        with file.open(newline="", encoding="utf-8") as opened:
            yield from csv.DictReader(opened, strict=True)
    elif file.suffix == ".jsonl":
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.strip():
                yield json.loads(line)
    else:
        raise ValueError("it must be a .csv or .jsonl file")


def _pair(row: Any, number: int, file: Path) -> Pair:
    given = {key: value for key, value in row.items() if value} if isinstance(row, dict) else row
    try:
        return Pair.model_validate(given)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        column = ".".join(map(str, detail["loc"])) or "the row"
        what = {"missing": "is missing", "extra_forbidden": "is not a column of a case"}.get(
            detail["type"], f"is wrong: {detail['msg']}"
        )
        raise BadInput(
            f"{KEY}.file: {file}, row {number}: {column} {what}; a case has the columns higher, "
            "lower and, for classification, of"
        ) from error


def check_cases(study: Study, card: DataCard, home: Home) -> None:
    """Check that the behavioural tests of a study's gate fit its data.

    Args:
        study: its gate has the tests.
        card: the data set card.
        home: a file of cases may lie in its folders.

    Raises:
        BadInput: the tests are for another kind of data, or name an unknown class or column.
    """
    behaviour = study.champion.gate.behaviour
    if not behaviour.asks:
        return
    pairs, kind = text_pairs(behaviour, home), card.inputs.kind
    for name, given, fits in (("pairs", pairs, "text"), ("pushes", behaviour.pushes, "table")):
        if given and kind != fits:
            other = {"text": "use pairs", "table": "use pushes"}.get(
                kind, "use champion.gate.invariance, or remove them"
            )
            raise BadInput(f"{KEY}.{name} are for data of kind {fits}, and this is {kind}; {other}")
    _check_classes((*pairs, *behaviour.pushes), list(map(str, card.classes)))
    if not isinstance(card.inputs, TableInputs):
        return
    specs = card.inputs.specs
    numbers = [spec["name"] for spec in specs if spec["kind"] == "number"]
    names = numbers if specs else card.inputs.names
    for push in behaviour.pushes:
        if push.column not in names:
            raise BadInput(
                f"{KEY}.pushes: there is no numeric column {push.column!r}; "
                f"{did_you_mean(push.column, names)}"
            )


def _check_classes(cases: Sequence[Pair | Push], classes: Sequence[str]) -> None:
    for case in cases:
        if case.of is None and classes:
            raise BadInput(
                f"{KEY}: a case has no `of`; name the class whose probability is compared "
                f"({', '.join(classes[:12])})"
            )
        if case.of is not None and case.of not in classes:
            remedy = (
                did_you_mean(case.of, classes) if classes else "this is a regression, remove `of`"
            )
            raise BadInput(f"{KEY}: there is no class {case.of!r}; {remedy}")
