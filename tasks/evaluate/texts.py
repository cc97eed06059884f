"""Metrics of generated texts, each computed by the library that papers report it with.

BLEU (aclanthology.org/P02-1040) and chrF (aclanthology.org/W15-3049) come from sacreBLEU
(arXiv:1804.08771), ROUGE (aclanthology.org/W04-1013) from rouge-score. BLEU and chrF are functions
of counts that add up over sentences: a resample is scored from the sums of its sentences' counts,
as sacreBLEU scores a corpus.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from conf.runtime.types import Floats
from conf.schema.evaluate import Texts
from tasks.evaluate.weighted_metric import Metric, mean, metric_of_sums

if TYPE_CHECKING:
    from tasks.evaluate.predictions import TextPredictions

ROUGE = ("rouge1", "rouge2", "rougeL")
CORPUS = ("bleu", "chrf")


def metric(name: str, predictions: TextPredictions, settings: Texts) -> Metric:
    """A metric of texts, by name."""
    if name in CORPUS:
        return _corpus(scorer(name, settings), predictions)
    if name in ROUGE:
        return mean(rouge(name, predictions.references, predictions.hypotheses, settings))
    return OTHERS[name](predictions)


def scorer(name: str, settings: Texts) -> Any:
    """The metric object of sacreBLEU."""
    from sacrebleu.metrics import BLEU, CHRF

    if name == "chrf":
        return CHRF(lowercase=settings.lowercase)
    # `force` keeps it from warning of texts that look divided already: phones do.
    return BLEU(tokenize=settings.tokenize, lowercase=settings.lowercase, force=True)


def _corpus(scorer: Any, predictions: TextPredictions) -> Metric:
    # The only way to a sentence's counts, and from sums of them to a score, that the library has;
    # its own bootstrap goes it too. The version is pinned to the minor release for that.
    counts = scorer._extract_corpus_statistics(predictions.hypotheses, [predictions.references])

    def value(sums: Floats) -> Floats:
        whole = np.rint(sums).astype(int).tolist()
        return np.array([scorer._compute_score_from_stats(each).score for each in whole])

    return metric_of_sums(np.asarray(counts, dtype=np.float64), value)


def signature(name: str, settings: Texts) -> str | None:
    """The signature to quote a value with: version, tokens, case; None if the metric has none."""
    if name in CORPUS:
        metric = scorer(name, settings)
        metric.num_refs = 1
        return str(metric.get_signature())
    if name in ROUGE:
        from importlib.metadata import version

        tokens = f"words of tok:{settings.tokenize} without punctuation, case:lc"
        return f"rouge-score {version('rouge-score')}, F1, {tokens}, no stemming, mean over texts"
    return None


class RougeTokenizer:
    """Tokens for ROUGE in any script: lower-case words of sacreBLEU's tokenizer.

    rouge-score's own tokenizer drops all but a-z and 0-9, so that identical Russian or Chinese
    texts score 0. On plain ASCII text both give the same tokens.
    """

    def __init__(self, settings: Texts) -> None:
        self._split = scorer("bleu", settings).tokenizer

    def tokenize(self, text: str) -> list[str]:
        """The words of a text without punctuation."""
        return "".join(c if _in_word(c) else " " for c in self._split(text).lower()).split()


def _in_word(character: str) -> bool:
    """Whether a character is a letter, a digit, or a mark such as an Arabic or Hindi vowel sign."""
    return unicodedata.category(character)[0] in "LMN"


def rouge(
    name: str, references: Sequence[str], hypotheses: Sequence[str], settings: Texts
) -> Floats:
    """ROUGE F1 of each text, of shape (rows,), on the tokens of `RougeTokenizer`."""
    from rouge_score.rouge_scorer import RougeScorer

    library = RougeScorer([name], tokenizer=RougeTokenizer(settings))
    pairs = zip(references, hypotheses, strict=True)
    return np.array([library.score(target, text)[name].fmeasure for target, text in pairs])


def sentence_scores(predictions: TextPredictions, settings: Texts) -> Floats:
    """Sentence-level chrF of each text, from 0 to 100, of shape (rows,)."""
    library = scorer("chrf", settings)
    pairs = zip(predictions.references, predictions.hypotheses, strict=True)
    return np.array([library.sentence_score(text, [target]).score for target, text in pairs])


def exact_match(predictions: TextPredictions) -> Metric:
    """Share of texts equal to their target, surrounding whitespace ignored."""
    pairs = zip(predictions.references, predictions.hypotheses, strict=True)
    return mean(np.array([target.strip() == text.strip() for target, text in pairs]))


def perplexity(predictions: TextPredictions) -> Metric:
    """Exponential of the mean loss per target token, in nats; NaN if losses are unknown."""
    if predictions.losses is None or predictions.tokens is None:
        return lambda weights: np.full(len(weights), np.nan)
    numbers = np.stack([predictions.losses, predictions.tokens], axis=1).astype(np.float64)
    return metric_of_sums(numbers, lambda sums: np.exp(sums[:, 0] / sums[:, 1]))


OTHERS: dict[str, Callable[[TextPredictions], Metric]] = {
    "exact_match": exact_match,
    "perplexity": perplexity,
}
