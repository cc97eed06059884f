"""What the best trial saw, drawn in a process of its own: the driver imports no torch."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from conf.errors import DenseError
from conf.identity import derived_seed
from conf.study import TrialConfig
from tasks.champion.process import answer, call
from tasks.prepare import Prepared
from tasks.report.view import Surroundings
from tasks.study.record import StudyRecord, TrialRecord

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


def _seen(record: StudyRecord, prepared: Prepared) -> dict[str, Any]:
    """Samples of images as one picture, of texts as lines; nothing of other data."""
    best, kind = record.best, prepared.card["inputs"]["kind"]
    if best is None or kind not in ("image", "text", "pairs"):
        return {}
    reply = call(
        __name__,
        {
            "config": best.config.model_dump(mode="json"),
            "card": prepared.card,
            "train": str(prepared.train),
            "seed": derived_seed(record.study.seed, best.number),
        },
        log=record.home.logs / "samples.log",
        threads=1,
        seconds=SECONDS,
    )
    caption = _caption(best, augmented=reply["augmented"])
    if kind != "image":
        return {"texts": reply["texts"], "sheet_caption": caption}
    return {"contact_sheet": base64.b64decode(reply["png"]), "sheet_caption": caption}


def _caption(best: TrialRecord, *, augmented: bool) -> str:
    if not augmented:
        return f"Training rows as trial {best.number} saw them, a class a line; nothing is changed."
    return (
        f"Training rows: first as they are stored, then as trial {best.number} saw them "
        "in epochs 1, 2, 3, …"
    )


def drawn(request: Mapping[str, Any]) -> dict[str, Any]:
    """The process's side: the picture, or the texts."""
    config = TrialConfig.model_validate(request["config"])
    given = config, request["card"], Path(request["train"]), int(request["seed"])
    if request["card"]["inputs"]["kind"] == "image":
        from data.contact import contact_sheet, is_augmented

        picture = base64.b64encode(contact_sheet(*given)).decode()
        return {"png": picture, "augmented": is_augmented(config, request["card"])}
    from data.samples import text_samples

    texts = text_samples(*given, rows=TEXTS)
    return {"texts": texts, "augmented": any(len(set(each)) > 1 for each in texts)}


if __name__ == "__main__":
    answer(drawn)
