"""The directional cases of a gate: read, and held against the data before anything is trained."""

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
from data.encoding.one_hot import number_names

KEY = "champion.gate.behaviour"


def pairs_of(behaviour: Behaviour, home: Home) -> tuple[Pair, ...]:
    """All pairs of texts: those of the study, then those of its file.

    Raises:
        BadInput: the file is not there, may not be read, or holds something else.
    """
    if behaviour.file is None:
        return behaviour.pairs
    file = confined(behaviour.file, home, key=f"{KEY}.file")
    return (*behaviour.pairs, *read_pairs(file))


def read_pairs(file: Path) -> tuple[Pair, ...]:
    """The pairs of a table with the columns `higher`, `lower` and, of classes, `of`.

    Raises:
        BadInput: names the file, and the row or the columns that are wrong.
    """
    try:
        rows = list(_rows(file))
    except (OSError, ValueError, csv.Error) as error:
        raise BadInput(f"{KEY}.file: {file} cannot be read as cases: {error}") from error
    if not rows:
        raise BadInput(f"{KEY}.file: {file} has no rows; give at least one case, or leave it out")
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
        raise ValueError("cases are in a .csv or .jsonl file")


def _pair(row: Any, number: int, file: Path) -> Pair:
    given = {key: value for key, value in row.items() if value} if isinstance(row, dict) else row
    try:
        return Pair.model_validate(given)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        column = ".".join(map(str, detail["loc"])) or "the row"
        what = {"missing": "is missing", "extra_forbidden": "is no column of a case"}.get(
            detail["type"], f"is wrong: {detail['msg']}"
        )
        raise BadInput(
            f"{KEY}.file: {file}, row {number}: {column} {what}; a case has the columns higher, "
            "lower and, where classes are predicted, of"
        ) from error


def check_cases(study: Study, card: Mapping[str, Any], home: Home) -> None:
    """Refuse cases that the study's data cannot answer.

    Args:
        study: whose gate has them.
        card: the data's card.
        home: whose folders a file of cases may lie in.

    Raises:
        BadInput: they are of another kind of data, or name a class or column that is not there.
    """
    behaviour = study.champion.gate.behaviour
    if not behaviour.asks:
        return
    pairs, kind = pairs_of(behaviour, home), card["inputs"]["kind"]
    for name, given, fits in (("pairs", pairs, "text"), ("pushes", behaviour.pushes, "table")):
        if given and kind != fits:
            other = {"text": "use pairs", "table": "use pushes"}.get(
                kind, "use champion.gate.invariance, or leave them out"
            )
            raise BadInput(f"{KEY}.{name} are for data of kind {fits}, and this is {kind}; {other}")
    _check_classes((*pairs, *behaviour.pushes), list(map(str, card["classes"])))
    names = number_names(card["inputs"].get("names", ()), card["inputs"].get("levels", {}))
    for push in behaviour.pushes:
        if push.column not in names:
            raise BadInput(
                f"{KEY}.pushes: there is no column {push.column!r} of numbers; "
                f"{did_you_mean(push.column, names)}"
            )


def _check_classes(cases: Sequence[Pair | Push], classes: Sequence[str]) -> None:
    for case in cases:
        if case.of is None and classes:
            raise BadInput(
                f"{KEY}: a case has no `of`; name the class whose probability is meant "
                f"({', '.join(classes[:12])})"
            )
        if case.of is not None and case.of not in classes:
            remedy = did_you_mean(case.of, classes) if classes else "a number is predicted, drop it"
            raise BadInput(f"{KEY}: there is no class {case.of!r}; {remedy}")
