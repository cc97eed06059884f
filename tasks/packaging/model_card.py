"""The model card: Markdown that describes a registered version to its users.

Mitchell et al., "Model Cards for Model Reporting", 2019 (doi:10.1145/3287560.3287596).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from data.card import DataCard, ImageInputs, Inputs, RowCounts, TableInputs
from tasks.packaging.records import Candidate, Decision, EnsembleMember, FinalScore
from tasks.packaging.table_frame import has_columns


def model_card(
    candidate: Candidate,
    score: FinalScore,
    decision: Decision,
    card: DataCard,
    model: str,
    members: Sequence[EnsembleMember] = (),
) -> str:
    """Markdown: use, data, quality with intervals, cost, and how it was chosen.

    Args:
        candidate: what was trained.
        score: on the test split.
        decision: of the gate.
        card: the data set card.
        model: name of the registered model.
        members: of an ensemble.
    """
    return "\n".join(_lines(candidate, score, decision, card, model, members)) + "\n"


def _lines(
    candidate: Candidate,
    score: FinalScore,
    decision: Decision,
    card: DataCard,
    model: str,
    members: Sequence[EnsembleMember],
) -> Iterator[str]:
    yield f"# {model}"
    yield ""
    writes = card.inputs.kind == "pairs"
    what = "writes texts" if writes else f"tells {len(card.classes)} classes apart"
    what = "predicts a number" if card.target else what
    between = card.label_separator if card.multilabel else None
    what = f"finds any of {len(card.classes)} labels" if between else what
    one = f"One `{candidate.config.model.kind}`"
    who = f"An ensemble of {len(members)} models" if members else one
    yield f"{who} that {what}."
    alias = "ensemble" if members else "champion"
    yield from ("", "## Use", "", "```python")
    yield f'mlflow.pyfunc.load_model("models:/{model}@{alias}").predict(rows)'
    yield from ("```", "")
    if writes:
        yield "Rows are texts, as a list. The answer has a column `text`."
    elif card.target:
        low, high = card.target.low, card.target.high
        yield f"Rows are {_rows(card.inputs)}. The answer has a column `prediction`; those of"
        yield f"the training part went from {low:g} to {high:g}."
    else:
        said = f"`labels` (names with {between!r} between them)" if between else "`label`"
        yield f"Rows are {_rows(card.inputs)}. The answer has a column {said} and one"
        yield f"`p_<class>` a class. Classes: {', '.join(map(str, card.classes))}."
    if second := card.second:
        which = ", ".join(second.classes) or "a number"
        yield f"Columns `{second.name}/...` hold the same of a second answer: {which}."
    yield from ("", "## Data", "")
    yield from _data(card, candidate, parts=("train",) if members else ("train", "validation"))
    yield from ("", f"## Quality on {score.rows} rows that no trial has seen", "")
    yield from ("| metric | value | 95 % interval |", "|---|---|---|")
    for name, interval in score.metrics.items():
        yield f"| {name} | {interval.value:.4f} | {interval.low:.4f} to {interval.high:.4f} |"
    yield from ("", *(f"{name}: {said}" for name, said in score.signatures.items()))
    if score.recall:
        worst = min(score.recall, key=lambda name: score.recall[name])
        yield f"Least recognised class: {worst} (recall {score.recall[worst]:.3f})."
    if score.invariance is not None:
        yield f"Labels that stay under the study's augmentations: {score.invariance:.1%}."
    yield from ("", "## Cost", "")
    times = ", ".join(
        f"{n} at once {t.p50:.1f} ms (p95 {t.p95:.1f})" for n, t in score.latency.items()
    )
    yield f"{score.size_mb:.2f} MB; rows: {times}."
    yield from ("", "## How it was chosen", "")
    yield _members(candidate, members) if members else _choice(candidate)
    for reason in decision.reasons:
        yield f"- {'passed' if reason.passed else 'failed'} {reason.rule}: {reason.why}"


def _rows(inputs: Inputs) -> str:
    if not isinstance(inputs, ImageInputs | TableInputs):
        return "texts, a list of strings or one column of a frame"
    if has_columns(inputs):
        columns = [
            f"{spec['name']} ({len(spec['levels'])} categories)"
            if spec["kind"] == "category"
            else f"{spec['name']} ({spec['kind']})"
            for spec in inputs.specs
        ]
        return f"a frame with the columns {', '.join(columns)}"
    if isinstance(inputs, TableInputs):
        return f"float64, shape (n, {inputs.features}): {', '.join(inputs.names)}"
    deep = f", {inputs.channels}" if inputs.channels > 1 else ""
    shape = f"(n, {inputs.height}, {inputs.width}{deep})"
    return f"float64, shape {shape}, raw values {inputs.low:g} to {inputs.high:g}"


def _data(card: DataCard, candidate: Candidate, parts: Sequence[str]) -> Iterator[str]:
    source = ", ".join(
        f"{name} {value}"
        for name, value in card.source.items()
        if isinstance(value, str | int | float)
    )
    rows = card.rows
    yield f"- source: {source}"
    yield f"- rows: {rows.read} read, {rows.kept} kept; trained on {_trained(rows, parts)}"
    yield f"- data key: `{candidate.data}`"


def _trained(rows: RowCounts, parts: Sequence[str]) -> str:
    return f"{sum(getattr(rows, part) for part in parts)} ({' and '.join(parts)} part)"


def _members(candidate: Candidate, members: Sequence[EnsembleMember]) -> str:
    shares = ", ".join(f"{member.number} ({member.weight:.0%})" for member in members)
    return (
        f"Trials {shares} of the study `{candidate.study}`, picked one after another by what they "
        f"reach together on the validation part ({candidate.objective} {candidate.value:.4f}, "
        "which flatters it a little); their answers are averaged by these shares."
    )


def _choice(candidate: Candidate) -> str:
    means = f", the mean of {candidate.repeats} fresh seeds" if candidate.repeats > 1 else ""
    return (
        f"Trial {candidate.number} of the study `{candidate.study}`, validation "
        f"{candidate.objective} {candidate.value:.4f}{means}; trained again for "
        f"{candidate.epochs} epochs with seed {candidate.seed}. "
        f"Configuration `{candidate.digest[:8]}` is in `config.yaml` of its run."
    )
