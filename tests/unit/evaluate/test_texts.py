"""Metrics of texts are the libraries' own numbers, and resample as their counts do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from conf.runtime.errors import DenseError
from conf.schema.evaluate import OF_TEXTS, Evaluate, Texts
from conf.schema.study import TrialConfig
from tasks.evaluate.evaluation import evaluate
from tasks.evaluate.intervals import bootstrap_intervals
from tasks.evaluate.metrics import score
from tasks.evaluate.paired import paired_difference
from tasks.evaluate.predictions import TextPredictions, read, write
from tasks.evaluate.texts import RougeTokenizer, rouge, signature

WORDS = ("the", "a", "cat", "dog", "sat", "on", "mat", "Über", "don't", ",", "42", "ran.")
TEXT = st.lists(st.sampled_from(WORDS), min_size=0, max_size=12).map(" ".join)
ALL = Evaluate(objective="bleu", metrics=OF_TEXTS)


def said(pairs: list[tuple[str, str]]) -> TextPredictions:
    rows = len(pairs)
    random = np.random.default_rng(0)
    return TextPredictions(
        ids=np.arange(rows),
        references=[target for target, _ in pairs],
        hypotheses=[text for _, text in pairs],
        losses=random.gamma(2.0, 3.0, rows),
        tokens=random.integers(1, 9, rows),
    )


def corpus(rows: int = 120, seed: int = 0) -> TextPredictions:
    random = np.random.default_rng(seed)
    pairs = []
    for _ in range(rows):
        target = random.choice(WORDS, size=random.integers(3, 12)).tolist()
        text = [word if random.random() < 0.8 else str(random.choice(WORDS)) for word in target]
        pairs.append((" ".join(target), " ".join(text)))
    return said(pairs)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=12),
    st.sampled_from(("13a", "intl", "char", "none")),
    st.booleans(),
)
def test_values_are_those_of_the_libraries(
    pairs: list[tuple[str, str]], tokenize: str, lowercase: bool
) -> None:
    rows = said(pairs)
    section = Evaluate(
        objective="bleu", metrics=OF_TEXTS, texts=Texts(tokenize=tokenize, lowercase=lowercase)
    )
    found = score(rows, section)
    texts, targets = rows.hypotheses, [rows.references]
    bleu = sacrebleu.corpus_bleu(texts, targets, tokenize=tokenize, lowercase=lowercase, force=True)
    assert found["bleu"] == bleu.score
    assert found["chrf"] == sacrebleu.CHRF(lowercase=lowercase).corpus_score(texts, targets).score
    for name in ("rouge1", "rouge2", "rougeL"):
        library = RougeScorer([name], tokenizer=RougeTokenizer(section.texts))
        each = [library.score(target, text)[name].fmeasure for target, text in pairs]
        assert found[name] == pytest.approx(np.mean(each), abs=1e-12)
    same = [target.strip() == text.strip() for target, text in pairs]
    assert found["exact_match"] == pytest.approx(np.mean(same), abs=1e-12)
    assert rows.losses is not None and rows.tokens is not None
    expected = np.exp(rows.losses.sum() / rows.tokens.sum())
    assert found["perplexity"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", ["rouge1", "rouge2", "rougeL"])
@pytest.mark.parametrize(
    ("text", "other", "tokenize"),
    [
        pytest.param("今天天气很好", "他喜欢读书看报", "zh", id="chinese"),
        pytest.param("Сегодня хорошая погода", "Он любит читать", "13a", id="russian"),
        pytest.param("الطقس جميل اليوم", "هو يحب القراءة", "intl", id="arabic"),
        pytest.param("आज मौसम अच्छा है", "उसे पढ़ना पसंद", "none", id="hindi"),
        pytest.param("今日は天気がいい", "彼は読書する", "char", id="japanese"),
    ],
)
def test_rouge_is_defined_in_every_script(name: str, text: str, other: str, tokenize: str) -> None:
    texts = Texts(tokenize=tokenize)
    same, different = rouge(name, [text, text], [text, other], texts)
    assert same == 1 and different < 0.5
    assert f"tok:{tokenize}" in (signature(name, texts) or "")


def test_rouge_of_ascii_text_is_that_of_the_library() -> None:
    texts = ("The cat's well-known A&B plan, v2.0: done!", "A cat - no plan (yet) of 3,000 cats.")
    library = RougeScorer(["rouge1"]).score(*texts)["rouge1"].fmeasure
    assert rouge("rouge1", texts[:1], texts[1:], Texts())[0] == pytest.approx(library)


def test_an_interval_is_that_of_resampled_corpora() -> None:
    rows = corpus()
    found = bootstrap_intervals(rows, ALL, ["bleu"], resamples=300)["bleu"]
    random = np.random.default_rng(5)
    again = []
    for _ in range(100):
        chosen = random.integers(120, size=120)
        texts = [rows.hypotheses[row] for row in chosen]
        again.append(sacrebleu.corpus_bleu(texts, [[rows.references[r] for r in chosen]]).score)
    low, high = np.quantile(again, (0.025, 0.975))
    assert found.low < found.value < found.high
    assert (found.low, found.high) == (pytest.approx(low, abs=1.5), pytest.approx(high, abs=1.5))


def test_a_pair_of_models_is_compared_on_the_same_draws() -> None:
    worse, better = corpus(), corpus()
    better = TextPredictions(better.ids, better.references, list(better.references))
    gained = paired_difference("bleu", worse, better, sign=-1, evaluate=ALL)
    whole = bootstrap_intervals(worse, ALL, ["bleu"])["bleu"]
    assert gained.value == pytest.approx(100.0 - whole.value)
    assert gained.low == pytest.approx(100.0 - whole.high)
    none = paired_difference("chrf", worse, worse, sign=-1, evaluate=ALL)
    assert (none.value, none.low, none.high) == (0.0, 0.0, 0.0)


def test_an_evaluation_names_signatures_and_the_worst_texts(tmp_path: Path) -> None:
    rows = said([("the cat sat", "the cat sat"), ("a dog ran.", "42"), ("on the mat", "on a mat")])
    write(tmp_path / "predictions.parquet", rows)
    back = read(tmp_path / "predictions.parquet")
    assert isinstance(back, TextPredictions)
    assert (back.references, back.hypotheses) == (rows.references, rows.hypotheses)
    config = TrialConfig.model_validate(
        {
            "data": {"source": "package", "name": "en-es", "task": "translation"},
            "evaluate": {"objective": "bleu", "metrics": ["bleu", "perplexity"]},
        }
    )
    found = evaluate(tmp_path, config)
    assert found.signatures["bleu"].startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|")
    assert [example.id for example in found.worst] == [1, 2, 0]
    assert found.worst[0].hypothesis == "42"
    assert found.confusion == () == found.classes
    assert evaluate(tmp_path, config) == found
    other = config.model_copy(
        update={"evaluate": config.evaluate.model_copy(update={"texts": Texts(tokenize="char")})}
    )
    assert "tok:char" in evaluate(tmp_path, other).signatures["bleu"]


def test_perplexity_without_losses_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "predictions.parquet", TextPredictions(np.arange(1), ["a"], ["a"]))
    config = TrialConfig.model_validate(
        {
            "data": {"source": "package", "name": "en-es", "task": "translation"},
            "evaluate": {"objective": "perplexity", "metrics": ["perplexity"]},
        }
    )
    with pytest.raises(DenseError, match="perplexity is nan"):
        evaluate(tmp_path, config)


@pytest.mark.parametrize(
    ("task", "name"),
    [
        pytest.param("translation", "accuracy", id="classes-for-texts"),
        pytest.param("classification", "bleu", id="texts-for-classes"),
    ],
)
def test_an_objective_of_another_task_is_refused(task: str, name: str) -> None:
    data = "en-es" if task == "translation" else "tweets"
    with pytest.raises(ValueError, match=f"'{name}' is no metric of {task}"):
        TrialConfig.model_validate(
            {
                "data": {"source": "package", "name": data, "task": task},
                "evaluate": {"objective": name, "metrics": [name]},
            }
        )
