"""What must stand before the first trial of a study: models that take its data, and weights."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from conf.loading.trial_values import apply_values, is_active
from conf.loading.validate_space import activations, probes
from conf.runtime.errors import BadConfig, BadInput
from conf.runtime.home import Home
from conf.schema.evaluate import OF_TWO, Evaluate
from conf.schema.model import MODEL_KINDS, Model, check_data_kind
from conf.schema.pretrained import (
    PACKAGE_DATA,
    Head,
    PackageWeights,
    Pretrained,
    PretrainedClassifier,
    Transformer,
)
from conf.schema.search import Choices
from conf.schema.seq2seq import Causal, Seq2Seq
from conf.schema.study import Study, TrialConfig
from conf.schema.train import Train
from data.card import DataCard

OF_CLASSES = ("label_smoothing", "class_weights", "adversarial")
"""Settings of `train` that models which write texts do not know."""


def make_ready(study: Study, card: DataCard, home: Home, say: Callable[[str], None]) -> None:
    """Check the study's models against its data, and fetch the weights that they begin from.

    Raises:
        BadInput: a model, of trial 0 or searched, does not take the data, or its weights cannot be
            had or cannot be what they are used for.
    """
    check_kinds(study, card.inputs.kind)
    check_metrics(study.evaluate, card)
    if study.train.privacy is not None:
        from models.modules.dp_sgd import check_installed

        check_installed()
    if card.inputs.kind == "pairs":
        check_settings(study)
    for model in tuned_models(study):
        from data.assets.pretrained import is_there, located, said

        if not is_there(model.weights, home):
            say(f"model: fetching the weights {said(model.weights)}")
        check_weights(model, located(model.weights, home), card)


def check_weights(model: Pretrained, folder: Path, card: DataCard) -> None:
    """BadInput where files tell already that a model cannot be what it is used for."""
    from data.assets.pretrained import check_reader, check_writer, facts_of, head_order
    from data.encoding.pair_tokenizer import pair_encoder
    from data.encoding.tokenizer import encoder_of

    kind, weights = card.inputs.kind, model.weights
    if isinstance(weights, PackageWeights) and kind not in PACKAGE_DATA[weights.name]:
        names = [name for name, takes in PACKAGE_DATA.items() if kind in takes]
        fits = names[0] if names else "other weights"
        raise BadInput(
            f"model.weights.name: {weights.name} does not read data of kind {kind}; use {fits}"
        )
    if isinstance(weights, PackageWeights) and kind == "image":
        return
    facts = facts_of(folder)
    if isinstance(model, PretrainedClassifier | Head):
        check_reader(model, facts, kind)
    if isinstance(model, PretrainedClassifier):
        head_order(model, facts, card)
    if isinstance(model, Seq2Seq | Causal):
        check_writer(model, facts)
        pair_encoder(model, folder, facts)
    if isinstance(model, Transformer | Head) and kind == "text":
        encoder_of(model, folder, facts)


def tuned_models(study: Study) -> list[Pretrained]:
    """The pre-trained models of trial 0 and of every single value that may not fit the files, with
    the largest of all lengths that are searched; each once."""
    space, found = study.search.space, [study.model]
    deciding = [key for key in space if _decides(key)]
    for key in deciding:
        for active in activations(key, space, study.trial_config):
            for value in probes(space[key]):
                found.append(_longest(apply_values(active, {key: value}), study))
    different = {model.model_dump_json(): model for model in found}
    return [model for model in different.values() if isinstance(model, Pretrained)]


def _decides(key: str) -> bool:
    section, _, name = key.partition(".")
    rows = [settings.capabilities for settings in MODEL_KINDS.values()]
    deciding = {"kind", *(each for row in rows for each in (*row.lengths, *row.decisive))}
    return section == "model" and (name in deciding or name.startswith("weights."))


def _longest(config: TrialConfig, study: Study) -> Model:
    """The model of a configuration with the largest lengths that the space has for it."""
    for name in config.model.capabilities.lengths:
        key, space = f"model.{name}", study.search.space
        if key in space and is_active(key, space, config):
            with suppress(BadConfig):  # another kind has no such setting
                most = max(value for value in probes(space[key]) if isinstance(value, int))
                config = apply_values(config, {key: most})
    return config.model


def check_kinds(study: Study, kind: str) -> None:
    """Refuse a kind of model, of trial 0 or searched, that does not take the data.

    Raises:
        BadInput: names the kinds that do.
    """
    searched = study.search.space.get("model.kind")
    named = searched.choices if isinstance(searched, Choices) else ()
    for model in dict.fromkeys([study.model.kind, *map(str, named)]):
        check_data_kind(model, kind)


def check_metrics(evaluate: Evaluate, card: DataCard) -> None:
    """Refuse to search by what is of two classes alone where there are more.

    Raises:
        BadInput: names the metric.
    """
    classes = card.classes
    if wrong := [name for name in evaluate.decisive if name in OF_TWO and len(classes) != 2]:
        raise BadInput(
            f"evaluate: {wrong[0]} is of the second of two classes, and there are {len(classes)}; "
            f"use {wrong[0]}_macro"
        )


def check_settings(study: Study) -> None:
    """Refuse settings that a study of pairs of texts cannot have.

    Raises:
        BadInput: a setting of `train`, given or searched, is not for text generation, or trials
            would be compared by perplexity over targets that each cuts at another length.
    """
    if "model.answer" in study.search.space and "perplexity" in study.evaluate.decisive:
        raise BadInput(
            "search.space.model.answer: targets are cut at model.answer, and the perplexity of "
            "shorter ones is lower, so that a trial would win by cutting; set one model.answer for "
            "all trials, or compare them by chrf, bleu or rougeL"
        )
    for name in OF_CLASSES:
        default = Train.model_fields[name].default
        if getattr(study.train, name) != default or f"train.{name}" in study.search.space:
            raise BadInput(
                f"train.{name} is for models that classify, and {study.model.kind} writes texts; "
                "leave it out (model.smoothing smooths what is to be written)"
            )
