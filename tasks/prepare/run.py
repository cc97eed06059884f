"""Prepare a study's data: read, clean, split and store it once, for all trials."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.study import Study
from data.card import DataCard
from data.sources import Source, open_source
from tasks.prepare.check_kind import check_kind, fetch_assets
from tasks.prepare.store.key import data_key, fingerprint, split_seed
from tasks.prepare.store.store import Prepared, building, lock, open_prepared

Say = Callable[[str], None]
MOST_COLUMNS = 20
"""Columns that a line on the terminal names at most."""


def silent(line: str) -> None:
    """Discard the line."""


def prepare(study: Study, home: Home, say: Say = silent) -> Prepared:
    """The study's prepared data; prepared now unless the store has it.

    A function of the data key alone: equal keys give equal bytes. Of two processes with the same
    key, one prepares and the other waits.

    Args:
        study: whose `data`, `clean` and `split` sections are used.
        home: where the data is stored.
        say: takes lines for the user: the source, its licence and `notices`.

    Raises:
        BadInput: the source or the settings cannot give usable data; nothing is left on disk.
        DenseError: prepared data is there but damaged.
    """
    source = open_source(study.data, study.clean, home)
    digest = fingerprint(source.files, source.pinned, home)
    key = data_key(study, digest, _privacy_mark(study))
    prepared = open_prepared(home, key)
    if prepared is None:
        with lock(home, key):
            if (prepared := open_prepared(home, key)) is None:
                say(f"data: reading {under_licence(source.facts)}")
                _make(study, home, source, digest, key)
                prepared = open_prepared(home, key)
    assert prepared is not None  # it was written whole, or an error was raised
    check_kind(study, prepared.card.kind)
    equip(study, home, prepared, say)
    return prepared


def equip(study: Study, home: Home, prepared: Prepared, say: Say) -> None:
    """Provide what the study's trials need besides the prepared data, and say what a user of the
    data should know (`notices`)."""
    from tasks.prepare.encoding.backtranslate import translate

    for notice in notices(prepared.card):
        say(notice)
    fetch_assets(study, home, say)
    translate(study, home, prepared, say)


def notices(card: DataCard) -> list[str]:
    """Sentences on what does not reach the model as a user may expect: columns that are left out,
    contradicting labels, and shares that the splits do not have."""
    out = []
    if card.left_out:
        columns = [f"{name!r} ({reason})" for name, reason in card.left_out.items()]
        more = [f"and {len(columns) - MOST_COLUMNS:,} more"] * (len(columns) > MOST_COLUMNS)
        out.append("left out: " + ", ".join([*columns[:MOST_COLUMNS], *more]))
    flagged = {rule.rule: rule for rule in card.rules if rule.flagged}
    if rule := flagged.get("contradicting labels"):
        some = ", ".join(example.split(":")[0] for example in rule.examples)
        out.append(
            f"labels: {rule.flagged:,} rows equal another row and have a different label ({some}"
            + ", ..." * (rule.flagged > len(rule.examples))
            + ")"
        )
    missed = [f"{name} {100 * by:+.1f}" for name, by in card.missed_shares.items()]
    if missed:
        out.append(
            "split: shares differ from the settings, in percentage points: " + ", ".join(missed)
        )
    return out


def under_licence(facts: Mapping[str, str]) -> str:
    """The place of a source, with its licence where it is known."""
    licence = facts.get("licence")
    return f"{facts['place']}, licence {licence}" if licence else facts["place"]


def _make(study: Study, home: Home, source: Source, digest: str, key: str) -> None:
    from tasks.prepare.build import build
    from tasks.prepare.store.write import write

    with building(home, key) as folder, tempfile.TemporaryDirectory(dir=folder) as scratch:
        built = build(study, source, split_seed(study), Path(scratch))
        if fingerprint(source.files, source.pinned, home) != digest:
            raise BadInput(
                f"data: {source.facts['place']} changed while it was read; "
                "run again when it is written whole"
            )
        write(built, folder, Path(scratch), {"key": key, "fingerprint": digest})


def _privacy_mark(study: Study) -> str:
    if study.clean.privacy is None:
        return ""
    from tasks.prepare.cleaning.privacy import key_mark

    return key_mark(study.clean.privacy)
