"""What the best trial saw, drawn in a process of its own: the driver imports no torch."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from conf.loading.digests import derived_seed
from conf.runtime.child_process import answer, call
from conf.runtime.errors import DenseError
from conf.schema.augment import Augment
from conf.schema.study import TrialConfig
from data.card import DataCard
from tasks.prepare import Prepared
from tasks.report.view import Surroundings
from tasks.study.reader import StudyRecord, TrialRecord

SECONDS = 120.0
TEXTS = 6
"""Texts on the page."""


def surroundings(
    record: StudyRecord, prepared: Prepared | None, uri: str, say: Callable[[str], None]
) -> Surroundings:
    """What the page shows beside the record; what cannot be drawn is said.

    Args:
        record: the study.
        prepared: its data; None where nothing is prepared.
        uri: of the MLflow record.
        say: told in a sentence what is missing.
    """
    if prepared is None:
        return Surroundings(tracking_uri=uri)
    seen: dict[str, Any] = {}
    try:
        seen = _seen(record, prepared)
    except DenseError as error:
        say(f"the report shows no samples: {error}")
    return Surroundings(card=prepared.card, tracking_uri=uri, **seen)


def _ids(best: TrialRecord) -> list[int]:
    """Rows of the validation split on which the best trial erred worst."""
    evaluation = best.evaluation
    return [] if evaluation is None else [row.id for row in evaluation.worst + evaluation.mistakes]


def _seen(record: StudyRecord, prepared: Prepared) -> dict[str, Any]:
    """Samples of images as one picture, of texts as lines, of tables as numbers."""
    best, kind = record.best, prepared.card.inputs.kind
    if best is None:
        return {}
    reply = call(
        __name__,
        {
            "config": best.config.model_dump(mode="json"),
            "card": prepared.card.as_json(),
            "train": str(prepared.train),
            "seed": derived_seed(record.study.seed, best.number),
            "validation": str(prepared.validation),
            "ids": _ids(best),
        },
        log=record.home.logs / "samples.log",
        threads=1,
        seconds=SECONDS,
    )
    caption = _caption(best, kind, augmented=reply["augmented"])
    if reply["blended"]:
        caption = f"{caption} Blends with other rows of a batch are not shown."
    seen = {
        "sheet_caption": caption,
        "examples": {int(row): shown for row, shown in reply["examples"].items()},
    }
    if kind != "image":
        name = "numbers" if kind == "table" else "texts"
        return {name: reply[name], **seen}
    return {"contact_sheet": base64.b64decode(reply["png"]), **seen}


def _caption(best: TrialRecord, kind: str, *, augmented: bool) -> str:
    if not augmented:
        line = ", a class a line" if kind == "image" else ""
        return f"Training rows as trial {best.number} saw them{line}; nothing is changed."
    scaled = ", scaled" if kind == "table" else ""
    return (
        f"Training rows: first as they are stored{scaled}, then as trial {best.number} saw them "
        "in epochs 1, 2, 3, …"
    )


def drawn(request: Mapping[str, Any]) -> dict[str, Any]:
    """The process's side: the picture, the texts, or the numbers."""
    from data.preview.rows import glance
    from data.transforms.presets import resolved

    config = TrialConfig.model_validate(request["config"])
    card = DataCard.model_validate(request["card"])
    kind = card.inputs.kind
    augment = resolved(config.augment, kind)
    given = config, card, Path(request["train"]), int(request["seed"])
    blended = augment.mixup is not None or augment.cutmix is not None
    examples = glance(Path(request["validation"]), card, request["ids"])
    return {**_samples(kind, augment, given), "blended": blended, "examples": examples}


def _samples(
    kind: str, augment: Augment, given: tuple[TrialConfig, DataCard, Path, int]
) -> dict[str, Any]:
    """Samples of a kind of data, and whether they are changed."""
    if kind == "image":
        from data.preview.contact_sheet import contact_sheet, is_augmented

        picture = base64.b64encode(contact_sheet(*given)).decode()
        return {"png": picture, "augmented": is_augmented(*given[:2])}
    from data.preview.samples import table_samples, text_samples
    from data.transforms.texts import changes_texts

    if kind == "table":
        return {"numbers": table_samples(*given), "augmented": augment.jitter is not None}
    return {"texts": text_samples(*given, rows=TEXTS), "augmented": changes_texts(augment)}


if __name__ == "__main__":
    answer(drawn)
