"""Personal data: masked or replaced by pseudonyms in texts, counted in tables."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import pyarrow as pa

from conf.runtime.errors import BadInput
from conf.schema.clean import Clean, Personal, PersonalData
from data.card import Anonymity
from data.sources.rows import CONTENT, Report, Rows, describe
from tasks.prepare.cleaning import person_names
from tasks.prepare.cleaning.person_names import Span

KEY = "DENSE_PRIVACY_KEY"
SAFE_GROUP = 5

EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
IP = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7})(?![\w:])"
)
CARD = re.compile(r"(?<![\d-])\d(?:[ -]?\d){12,18}(?![\d-])")
IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b")
NUMBER = re.compile(r"(?<![\w-])[A-Z]{0,6}\d[A-Z0-9]*(?:[ ./-]?[A-Z0-9]+){0,6}(?![\w-])")

# Numbers of persons whose check digits tell them from other numbers, by python-stdnum.
NATIONAL = (
    "us.ssn", "gb.nhs", "de.idnr", "es.dni", "es.nie", "fr.nir", "it.codicefiscale", "nl.bsn",
    "be.nn", "cn.ric", "br.cpf", "se.personnummer", "pl.pesel",
)  # fmt: skip
# Plain digits pass some checks by chance, so a national number must be written as one.
WRITTEN = re.compile(r"[A-Z]|\d[ ./-]\d|^\d{15}$|^\d{17,18}$")


def secret() -> bytes:
    """The key of pseudonyms, from the environment.

    Raises:
        BadInput: it is not set, or so short that it can be guessed.
    """
    key = os.environ.get(KEY, "").encode()
    if len(key) < 16:
        raise BadInput(f"clean.privacy.pseudonyms needs a key of 16 letters or more in {KEY}")
    return key


def key_mark(privacy: PersonalData | None) -> str:
    """What tells prepared data of one key, and of one model of names, from that of another.

    The key itself is not told.

    Raises:
        BadInput: the key, or the model of names, is not there.
    """
    marks = []
    if privacy is not None and privacy.pseudonyms:
        marks.append(hmac.new(secret(), b"data key", hashlib.sha256).hexdigest()[:16])
    if privacy is not None and "name" in privacy.mask:
        marks.append(person_names.model_version())
    return " ".join(marks)


def protect(rows: Rows, clean: Clean) -> tuple[Rows, Report]:
    """Replace personal data in every text."""
    privacy = clean.privacy
    if privacy is None or rows.kind not in ("text", "pairs"):
        return rows, Report("privacy", len(rows), len(rows))
    key = secret() if privacy.pseudonyms else None
    changed = np.zeros(len(rows), dtype=bool)
    counts: Counter[str] = Counter()
    for name in CONTENT[rows.kind]:
        texts = rows.strings(name).tolist()
        new = without_names(texts, key, counts) if "name" in privacy.mask else texts
        new = [masked(text, privacy, key, counts) for text in new]
        changed |= np.array([a != b for a, b in zip(new, texts, strict=True)], dtype=bool)
        rows = rows.put(name, pa.array(new, type=pa.string()))
    report = Report("privacy", len(rows), len(rows), changed=int(changed.sum()))
    found = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    examples = (found, *describe(rows, changed, "personal data replaced")) if found else ()
    return rows, replace(report, examples=examples[:5])


def without_names(texts: list[str], key: bytes | None, counts: Counter[str]) -> list[str]:
    """The texts with a tag in the place of each person's name; they are counted."""
    found = zip(texts, person_names.people(texts), strict=True)
    return [_replaced(text, "name", spans, key, counts) for text, spans in found]


def masked(text: str, privacy: PersonalData, key: bytes | None, counts: Counter[str]) -> str:
    """The text with a tag in the place of each piece of personal data, names of people aside."""
    for kind in privacy.mask:
        if kind != "name":
            text = _replaced(text, kind, FINDERS[kind](text, privacy), key, counts)
    return text


def _replaced(
    text: str, kind: Personal, spans: Iterable[Span], key: bytes | None, counts: Counter[str]
) -> str:
    """The text with a tag in the place of each span that overlaps no earlier one."""
    pieces, last = [], 0
    for start, end in spans:
        if start < last:
            continue
        counts[kind] += 1
        pieces += [text[last:start], _tag(kind, text[start:end], key)]
        last = end
    return "".join([*pieces, text[last:]])


def _tag(kind: str, value: str, key: bytes | None) -> str:
    if key is None:
        return f"<{kind}>"
    plain = "".join(value.casefold().split())
    return f"<{kind}:{hmac.new(key, f'{kind}:{plain}'.encode(), hashlib.sha256).hexdigest()[:12]}>"


def _matches(pattern: re.Pattern[str], valid: Callable[[str], bool]) -> Callable[..., Any]:
    def find(text: str, _: PersonalData) -> Iterator[Span]:
        return (found.span() for found in pattern.finditer(text) if valid(found.group()))

    return find


def _is_ip(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return value != "::"


def _is_card(value: str) -> bool:
    from stdnum import luhn

    return bool(luhn.is_valid(re.sub(r"[ -]", "", value)))


def _is_iban(value: str) -> bool:
    from stdnum import iban

    return bool(iban.is_valid(value))


@cache
def _national() -> tuple[Any, ...]:
    return tuple(import_module(f"stdnum.{name}") for name in NATIONAL)


def _is_national(value: str) -> bool:
    digits = sum(letter.isdigit() for letter in value)
    if digits < 7 or not WRITTEN.search(value):
        return False
    return any(module.is_valid(value) for module in _national())


def _phones(text: str, privacy: PersonalData) -> Iterator[Span]:
    if sum(letter.isdigit() for letter in text) < 7:  # the matcher is slow; most texts have none
        return
    import phonenumbers

    found: set[Span] = set()
    for region in privacy.regions:
        matcher = phonenumbers.PhoneNumberMatcher(text, region)
        found |= {(match.start, match.end) for match in matcher}
    yield from sorted(found)


FINDERS: dict[Personal, Callable[[str, PersonalData], Iterator[Span]]] = {
    "email": _matches(EMAIL, lambda _: True),
    "ip": _matches(IP, _is_ip),
    "iban": _matches(IBAN, _is_iban),
    "card": _matches(CARD, _is_card),
    "national": _matches(NUMBER, _is_national),
    "phone": _phones,
}


def anonymity(rows: Rows, columns: tuple[str, ...]) -> Anonymity | None:
    """k-anonymity of the table over the named columns, for the card (`data.card.Anonymity`).

    Raises:
        BadInput: a column is none of the table's.
    """
    if not columns or rows.kind != "table":
        return None
    known: dict[str, Any] = {
        name: rows.features()[:, number] for number, name in enumerate(rows.names)
    }
    known |= {name: rows.strings(name) for name in ("label", "group") if rows.has(name)}
    if absent := [name for name in columns if name not in known]:
        raise BadInput(
            f"clean.privacy.anonymity: there is no column {', '.join(absent)}; "
            f"there are {', '.join(known)}"
        )
    groups = Counter(zip(*(known[name].tolist() for name in columns), strict=True))
    sizes = np.array(list(groups.values()))
    return Anonymity(
        columns=columns,
        smallest=int(sizes.min()),
        groups=len(sizes),
        rows_below=int(sizes[sizes < SAFE_GROUP].sum()),
        below=SAFE_GROUP,
    )
