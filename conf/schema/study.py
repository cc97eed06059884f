"""A study: all sections together, its identity, and a configuration applied to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from conf.schema.augment import Augment
from conf.schema.base import Section
from conf.schema.champion import ChampionSettings, Monitor
from conf.schema.clean import Clean
from conf.schema.data import BuiltinData, Data
from conf.schema.evaluate import OF_TASK, Evaluate
from conf.schema.model import Cnn, Model, capable_kinds
from conf.schema.run import ReportSettings, Resources, StoppingCriteria, Tracking
from conf.schema.search import Search, StudyName
from conf.schema.split import Split, Stratified
from conf.schema.train import Train

SEARCHABLE = ("augment", "model", "train")
TRIAL_SECTIONS = ("data", "clean", "split", "augment", "model", "train", "evaluate")


class TrialConfig(Section):
    """The configuration of one trial: everything that could change its result, except the seed."""

    data: Data = BuiltinData()
    """Where the rows come from."""
    clean: Clean = Clean()
    """Which rows are removed or repaired."""
    split: Split = Stratified()
    """How rows are divided into train, validation and test."""
    augment: Augment = Augment()
    """Random changes of the training rows."""
    model: Model = Cnn()
    """The model."""
    train: Train = Train()
    """How the model is trained."""
    evaluate: Annotated[Evaluate, Field(validate_default=True)] = Evaluate()
    """Metrics and objective."""

    @property
    def changes_rows(self) -> bool:
        """Whether training rows differ from epoch to epoch; repeating rows does not count."""
        return any(value is not None for name, value in self.augment if name != "oversample")

    @field_validator("evaluate")
    @classmethod
    def _metrics_fit_the_task(cls, evaluate: Evaluate, earlier: ValidationInfo) -> Evaluate:
        """Checks the task before it looks for the objective among the metrics: adding a metric of
        another task would be no remedy."""
        data = earlier.data.get("data")
        if data is not None:
            _check_metrics(evaluate, data)
        if evaluate.objective not in evaluate.metrics:
            raise ValueError(
                f"the objective {evaluate.objective!r} is not computed; add it to evaluate.metrics"
            )
        return evaluate

    @model_validator(mode="after")
    def _auxiliary_target_is_supported(self) -> Self:
        if wrong := next(_auxiliary_problems(self), None):
            raise ValueError(wrong)
        return self

    @model_validator(mode="after")
    def _privacy_is_supported(self) -> Self:
        if self.train.privacy is not None and (wrong := next(_privacy_conflicts(self), None)):
            raise ValueError(
                f"train.privacy cannot be combined with {wrong}; change one of the two"
            )
        return self

    @model_validator(mode="after")
    def _prefix_is_not_recomputed(self) -> Self:
        if self.train.gradient_checkpointing and getattr(self.model, "tune", "") == "prefix":
            raise ValueError(
                "train.gradient_checkpointing recomputes layers without the tokens of model.tune: "
                "prefix; leave it out, or use prompt or lora"
            )
        return self

    @model_validator(mode="after")
    def _class_settings_fit_the_task(self) -> Self:
        """Refuses settings of classes in regression, and some of them in multilabel tasks."""
        task = self.data.task
        sense: dict[str, tuple[str, ...]] = {"regression": (), "multilabel": MULTILABEL_SETTINGS}
        for name, remedy in _class_settings(self) if task in sense else ():
            if name not in sense[task]:
                raise ValueError(f"{name} applies to classes, and the task is {task}; {remedy}")
        return self


SMALLEST_PRIVATE_BATCH = 16
"""Smallest mean batch size at which a Poisson sample is practically never empty."""
MULTILABEL_SETTINGS = (
    "split.by: stratified", "clean.class_floor", "augment.mixup", "train.class_weights",
)  # fmt: skip
"""Settings of classes that also apply to multilabel tasks."""


def _auxiliary_problems(config: TrialConfig) -> Iterator[str]:
    """Settings of an auxiliary target where there is none, or that conflict with one."""
    augment = config.augment
    if getattr(config.data, "second", None) is None:
        wrong = "{} needs an auxiliary target; name its column in data.second, or drop it"
        if config.train.second_weight != 1.0:
            yield wrong.format("train.second_weight")
        if config.evaluate.second:
            yield wrong.format("evaluate.second")
        return
    if not config.model.capabilities.auxiliary_target:
        fits = capable_kinds(lambda row: row.auxiliary_target)
        yield (
            f"model.kind {config.model.kind} learns one target, and data.second names another; "
            f"use {' or '.join(fits)}, or drop data.second"
        )
    made = augment.oversample is not None and augment.oversample.kind == "smote"
    for name, given in (
        ("mixup", augment.mixup is not None),
        ("cutmix", augment.cutmix is not None),
        ("oversample.kind smote", made),
    ):
        if given:
            yield f"augment.{name} makes rows without the auxiliary target data.second; drop it"


def _privacy_conflicts(config: TrialConfig) -> Iterator[str]:
    """Settings that conflict with differentially private training."""
    model = config.model
    for name in ("mixup", "cutmix", "oversample"):
        if getattr(config.augment, name) is not None:
            yield f"augment.{name}"
    yield from _train_conflicts_of_privacy(config.train)
    tune = getattr(model, "tune", "frozen")
    if not model.capabilities.private or tune not in ("frozen", "lora"):
        kinds = ", ".join(capable_kinds(lambda row: row.private))
        yield f"model.kind {model.kind} (it takes {kinds}; tune frozen or lora)"


def _train_conflicts_of_privacy(train: Train) -> Iterator[str]:
    for name in ("clip", "micro_batch", "steps_per_epoch", "adversarial"):
        if getattr(train, name) is not None:
            yield f"train.{name}"
    if train.class_weights != "none":
        yield "train.class_weights"
    for name in ("gradient_checkpointing", "compile"):
        if getattr(train, name):
            yield f"train.{name}"
    if train.precision != "float32":
        yield f"train.precision {train.precision}"
    if train.batch_size < SMALLEST_PRIVATE_BATCH:
        yield f"a train.batch_size below {SMALLEST_PRIVATE_BATCH}"


def _class_settings(config: TrialConfig) -> Iterator[tuple[str, str]]:
    """The settings of classes that are in use, each with its remedy."""
    clean, augment, train = config.clean, config.augment, config.train
    if config.split.by == "stratified":
        yield "split.by: stratified", "set split.by=random"
    for name, given in (
        ("data.bands", getattr(config.data, "bands", ())),
        ("clean.labels", clean.labels),
        ("clean.class_floor", clean.class_floor > 1),
        ("clean.suspects", clean.suspects),
        ("augment.oversample", augment.oversample),
        ("augment.mixup", augment.mixup),
        ("train.label_smoothing", train.label_smoothing),
        ("train.class_weights", train.class_weights != "none"),
    ):
        if given:
            yield name, "leave it out"


def _check_metrics(evaluate: Evaluate, data: Data) -> None:
    """Raise ValueError for a metric that is not defined for the task of its target."""
    second = getattr(data, "second", None)
    asked = [((evaluate.objective, *evaluate.metrics), data.task, "")]
    asked += [(evaluate.second, second.task, " (auxiliary)")] if second else []
    for names, task, which in asked:
        if wrong := [name for name in names if name not in OF_TASK[task]]:
            raise ValueError(
                f"{wrong[0]!r} is no metric of {task}{which}; "
                f"known for it: {', '.join(OF_TASK[task])}"
            )


class Study(TrialConfig):
    """One study: the resolved YAML file."""

    name: StudyName
    """Name of the folder, the MLflow experiment and the registered model."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    """Random seed; everything random in the study derives from it."""
    search: Search = Search()
    """Search space and strategy."""
    stop: StoppingCriteria = StoppingCriteria()
    """Stopping criteria."""
    resources: Resources = Resources()
    """Resources of a trial."""
    champion: ChampionSettings = ChampionSettings()
    """Gate, compression and registration of the best model."""
    monitor: Monitor = Monitor()
    """Drift monitoring of the champion."""
    report: ReportSettings = ReportSettings()
    """The report page."""
    tracking: Tracking = Tracking()
    """Tracking in MLflow."""

    @model_validator(mode="after")
    def _several_objectives_need_complete_trials(self) -> Self:
        if self.evaluate.also and self.search.rungs is not None:
            raise ValueError("several objectives need complete trials; drop search.rungs")
        return self

    @model_validator(mode="after")
    def _regret_needs_a_surrogate(self) -> Self:
        alone = self.search.strategy == "bayes" and not self.evaluate.also
        if self.stop.regret is not None and not alone:
            raise ValueError("stop.regret needs strategy bayes and a single objective; drop it")
        return self

    @property
    def trial_config(self) -> TrialConfig:
        """The configuration of trial 0: the study file as written."""
        return TrialConfig(**{name: getattr(self, name) for name in TRIAL_SECTIONS})

    @property
    def registered_model(self) -> str:
        """Name under which the champion is registered."""
        return self.champion.model or self.name
