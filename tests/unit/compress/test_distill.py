"""Knowledge distillation and pruning: which trial is the student, and the specs trained."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conf.runtime.errors import BadInput
from conf.schema.champion import Compress
from conf.schema.study import TrialConfig
from data.card import DataCard
from tasks.compress.distill import distillation_spec, select_student
from tasks.compress.prune import pruning_spec
from tasks.train.spec import Result, TrialSpec
from tests.cards import as_card

TABLE = as_card({"inputs": {"kind": "table"}})
TWO_TARGETS = as_card({"inputs": {"kind": "table"}, "second": {"name": "b"}})
PLAIN: dict[str, Any] = {"kind": "mlp"}


def trained(folder: Path, parameters: int) -> Path:
    folder.mkdir()
    Result(outcome="complete", attempt=1, until=1, params_total=parameters).write(folder)
    return folder


def record_of(tmp_path: Path, *trials: tuple[int, str, dict[str, Any]]) -> Any:
    """Trials by parameters, status and model, best first."""
    made = [
        SimpleNamespace(
            number=number,
            path=trained(tmp_path / str(number), parameters),
            trial=SimpleNamespace(status=status),
            config=TrialConfig.model_validate({"model": model}),
        )
        for number, (parameters, status, model) in enumerate(trials)
    ]
    return SimpleNamespace(
        leaderboard=lambda: iter(made),
        trial=lambda number: made[number],
        study=SimpleNamespace(name="digits"),
    )


@pytest.mark.parametrize(
    ("share", "number"),
    [pytest.param(0.5, 3, id="the best that fits"), pytest.param(0.2, 4, id="the smallest")],
)
def test_the_best_trial_that_is_small_enough_is_the_student(
    share: float, number: int, tmp_path: Path
) -> None:
    record = record_of(
        tmp_path,
        (900, "complete", PLAIN),
        (100, "paused", PLAIN),
        (100, "complete", {"kind": "random_forest"}),
        (450, "complete", PLAIN),
        (200, "complete", PLAIN),
    )
    teacher = trained(tmp_path / "teacher", 1000)
    assert select_student(record, teacher, Compress(student=share)).number == number


def test_without_a_small_trial_the_message_names_the_remedies(tmp_path: Path) -> None:
    record = record_of(tmp_path, (1000, "complete", PLAIN), (600, "complete", PLAIN))
    teacher = trained(tmp_path / "teacher", 1000)
    with pytest.raises(BadInput, match=r"at most 500 parameters, .* has 600; raise champion"):
        select_student(record, teacher, Compress())


def spec(also: tuple[str, ...] = (), **config: Any) -> TrialSpec:
    return TrialSpec(
        study="digits",
        number=7,
        digest="d" * 64,
        config=TrialConfig.model_validate({"model": PLAIN, **config}),
        seed=5,
        train="/data/train",
        validation=None if also else "/data/validation",
        also=also,
        card="/data/card.json",
        until=3,
    )


def prepared(card: DataCard = TABLE) -> Any:
    places = {name: Path(f"/data/{name}") for name in ("train", "validation", "card_path")}
    return SimpleNamespace(card=card, **places)


@pytest.mark.parametrize("also", [(), ("/data/validation",)], ids=["measured", "applied"])
def test_the_student_is_trained_on_the_teachers_rows_for_all_of_its_epochs(
    also: tuple[str, ...],
) -> None:
    config = TrialConfig.model_validate(
        {"model": {"kind": "mlp", "width": 4}, "train": {"epochs": 9, "patience": 2}}
    )
    student: Any = SimpleNamespace(number=2, config=config)
    told = distillation_spec(
        spec(also), Path("/teacher"), student, prepared(), Compress(temperature=3)
    )
    assert (told.number, told.until, told.config.train.patience) == (2, 9, None)
    assert told.config.model == config.model and told.seed != 5
    assert (told.also, told.validation, told.keep) == (also, None, "last")
    assert (told.teacher, told.temperature) == ("/teacher", 3)


@pytest.mark.parametrize(
    ("card", "config", "sentence"),
    [
        pytest.param(TABLE, {"model": {"kind": "head"}}, "trained on features", id="features"),
        pytest.param(TABLE, {"model": {"kind": "knn"}}, "this champion is a knn", id="estimators"),
        pytest.param(
            as_card({"inputs": {"kind": "pairs"}}), {}, "recipes to make a model small", id="pairs"
        ),
        pytest.param(TWO_TARGETS, {}, "and this one has two", id="a second answer"),
        pytest.param(TABLE, {"train": {"privacy": {}}}, "train.privacy", id="private rows"),
    ],
)
def test_champions_that_cannot_be_distilled_are_refused(
    card: DataCard, config: dict[str, Any], sentence: str
) -> None:
    student: Any = SimpleNamespace(number=2, config=spec().config)
    with pytest.raises(BadInput, match=sentence):
        distillation_spec(spec(**config), Path("/teacher"), student, prepared(card), Compress())


def test_pruning_a_differentially_private_model_is_refused() -> None:
    private = spec(train={"privacy": {}})
    with pytest.raises(BadInput, match="prune trains on the rows once more"):
        pruning_spec(private, Path("/weights"), prepared(), Compress())
