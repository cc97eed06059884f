from __future__ import annotations

from conf.schema.champion import Gate
from tasks.champion.gate import apply_gate
from tasks.packaging.model_card import model_card
from tests.cards import as_card
from tests.unit.champion.helpers import candidate, scored
from tests.unit.packaging.test_package import IMAGE

CARD = {
    "inputs": IMAGE.as_json(),
    "classes": [str(digit) for digit in range(10)],
    "source": {"source": "builtin", "name": "digits"},
    "rows": {"read": 1797, "kept": 1797, "train": 1077, "validation": 360, "test": 360},
}


def test_the_card_says_what_it_takes_what_it_is_worth_and_why_it_won() -> None:
    who = candidate(repeats=3)
    score = scored(who, 0.95)
    decision = apply_gate(
        Gate(minimum={"accuracy": 0.9}), score, metrics={"accuracy": 0.95}, gain=None
    )
    text = model_card(who, score, decision, as_card(CARD), "digits")
    for fact in (
        'load_model("models:/digits@champion")',
        "(n, 8, 8), raw values 0 to 16",
        "trained on 1437",
        "| accuracy | 0.9500 | 0.9300 to 0.9700 |",
        "the mean of 3 fresh seeds",
        "passed minimum: accuracy is 0.95, at least 0.9",
        who.data,
    ):
        assert fact in text


def test_of_a_model_that_writes_texts_it_names_signatures_and_no_classes() -> None:
    who = candidate()
    score = scored(who, 0.95).model_copy(
        update={"recall": {}, "signatures": {"bleu": "nrefs:1|tok:13a"}}
    )
    card = {**CARD, "inputs": {"kind": "pairs"}, "classes": []}
    decision = apply_gate(Gate(class_recall=0.5), score, metrics={}, gain=None)
    assert decision.verdict == "refused"
    text = model_card(who, score, decision, as_card(card), "en-es")
    for fact in (
        "that writes texts",
        "Rows are texts, as a list. The answer has a column `text`.",
        "bleu: nrefs:1|tok:13a",
        "failed class_recall: champion.gate.class_recall needs classes",
    ):
        assert fact in text
    assert "Least recognised" not in text


def test_of_labels_and_words_it_says_how_they_are_given() -> None:
    inputs = {"kind": "table", "names": ["x", "city=Lyon"], "levels": {"city": ["Lyon"]}}
    source = {**CARD["source"], "label_separator": ";"}
    card = {**CARD, "inputs": inputs, "source": source, "task": "multilabel", "classes": ["a", "b"]}
    who = candidate()
    score = scored(who, 0.95).model_copy(update={"recall": {"a": 0.5, "b": 0.6}})
    decision = apply_gate(Gate(), score, metrics={}, gain=None)
    text = model_card(who, score, decision, as_card(card), "tags")
    assert "that finds any of 2 labels" in text
    assert "a frame with the columns x (number), city (1 categories)" in text
    assert "a column `labels` (names with ';' between them)" in text
