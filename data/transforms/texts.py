"""Text augmentation: typing errors, and words deleted, swapped or replaced by synonyms.

A Chinese text has no spaces between its words; there a word is a letter, and for synonyms the
longest run of letters that the thesaurus knows.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from conf.loading.digests import derived_seed
from conf.schema.augment import Augment
from data.transforms.backtranslations import Paraphrases

ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
LONGEST_WORD = 4

Synonyms = Mapping[str, Sequence[str]]


def _neighbours() -> dict[str, str]:
    """The keys beside each key of a keyboard."""
    place = {key: (r, c) for r, row in enumerate(ROWS) for c, key in enumerate(row)}
    return {
        key: "".join(
            other
            for other, (s, d) in place.items()
            if other != key and abs(r - s) <= 1 and abs(c - d) <= 1
        )
        for key, (r, c) in place.items()
    }


NEIGHBOURS = _neighbours()


def changes_texts(augment: Augment) -> bool:
    """Whether a configuration augments texts."""
    changes = augment.swap, augment.delete, augment.synonyms, augment.typos
    return any((*changes, augment.back_translation))


class TextPipeline:
    """Augments texts as a study configures it; a function of (seed, epoch, row)."""

    def __init__(
        self,
        augment: Augment,
        seed: int,
        synonyms: Synonyms | None = None,
        paraphrases: Paraphrases | None = None,
    ) -> None:
        self._augment = augment
        self._seed = seed
        self._synonyms = synonyms or {}
        self._paraphrases = paraphrases

    def __call__(self, text: str, epoch: int, row: int, number: int = -1) -> str:
        """Change one text; it never becomes empty. `number` is the row's in the source."""
        draw = random.Random(derived_seed(self._seed, "text", epoch, row))
        augment, was = self._augment, text
        back = augment.back_translation
        if back is not None and self._paraphrases is not None and draw.random() < back.p:
            text = self._paraphrases.get(number, text)
        words, between = split_words(text)
        if (swap := augment.swap) is not None and draw.random() < swap.p:
            words = swapped(words, swap.share, draw)
        if (delete := augment.delete) is not None and draw.random() < delete.p:
            words = deleted(words, delete.share, draw)
        if (synonyms := augment.synonyms) is not None and draw.random() < synonyms.p:
            words = replaced(words, synonyms.share, self._synonyms, draw)
        changed = between.join(words)
        if (typos := augment.typos) is not None and draw.random() < typos.p:
            changed = mistyped(changed, typos.share, draw)
        return changed if changed.strip() else was


def is_chinese(letter: str) -> bool:
    """Whether a letter is a Chinese one."""
    return "\u4e00" <= letter <= "\u9fff"


def split_words(text: str) -> tuple[list[str], str]:
    """The words of a text and what stands between them."""
    if sum(map(is_chinese, text)) * 2 > len(text):
        return list(text), ""
    return text.split(), " "


def swapped(words: list[str], share: float, draw: random.Random) -> list[str]:
    """Neighbouring words change places."""
    out = list(words)
    for place in range(len(out) - 1):
        if draw.random() < share:
            out[place], out[place + 1] = out[place + 1], out[place]
    return out


def deleted(words: list[str], share: float, draw: random.Random) -> list[str]:
    """Words are left out; at least one stays."""
    kept = [word for word in words if draw.random() >= share]
    return kept or words[:1]


def replaced(words: list[str], share: float, synonyms: Synonyms, draw: random.Random) -> list[str]:
    """Words are replaced by synonyms, in the word's own case."""
    out: list[str] = []
    place = 0
    while place < len(words):
        known, length = _known(words, place, synonyms)
        if known and draw.random() < share:
            choice = draw.choice(known)
            out.append(choice.capitalize() if words[place][:1].isupper() else choice)
        else:
            out += words[place : place + length]
        place += length
    return out


def _known(words: list[str], place: int, synonyms: Synonyms) -> tuple[Sequence[str], int]:
    """Synonyms of the word at a place, and how many items the word is."""
    if not is_chinese(words[place][:1]):
        return synonyms.get(words[place].lower(), ()), 1
    for length in range(LONGEST_WORD, 1, -1):
        if found := synonyms.get("".join(words[place : place + length]), ()):
            return found, min(length, len(words) - place)
    return (), 1


def mistyped(text: str, share: float, draw: random.Random) -> str:
    """Letters are left out, doubled, swapped, or a neighbour on the keyboard is hit."""
    out: list[str] = []
    letters = iter(text)
    for letter in letters:
        if draw.random() >= share or not letter.isalpha():
            out.append(letter)
            continue
        error = draw.randrange(4)
        if error == 1:
            out += [letter, letter]
        elif error == 2:
            out += [next(letters, ""), letter]
        elif error == 3 and letter.lower() in NEIGHBOURS:
            out.append(draw.choice(NEIGHBOURS[letter.lower()]))
        elif error == 3:
            out.append(letter)
    return "".join(out)
