"""Settings applied to a configuration, and read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.loading.load import load_study
from conf.loading.trial_values import apply_values, values_of
from conf.runtime.errors import BadConfig
from tests.unit.conf.kinds import Config, Head, Large, Small

DIGITS = load_study("digits")

settings = st.fixed_dictionaries(
    {},
    optional={
        "train.lr": st.floats(1e-4, 1e-1),
        "train.weight_decay": st.floats(1e-6, 1e-2),
        "train.batch_size": st.sampled_from([32, 64, 128]),
        "model.width": st.integers(16, 64),
        "model.dropout": st.floats(0, 0.5),
        "augment.rotate.degrees": st.floats(0, 30),
    },
)


@given(settings)
def test_applied_values_are_read_back_and_others_unchanged(values: dict[str, float]) -> None:
    config = apply_values(DIGITS.trial_config, values)
    assert values_of(DIGITS, config) == {**values_of(DIGITS, DIGITS.trial_config), **values}
    assert apply_values(config, values_of(DIGITS, DIGITS.trial_config)) == DIGITS.trial_config


def test_the_values_of_trial_0_include_defaults_and_follow_the_space() -> None:
    found = values_of(DIGITS, DIGITS.trial_config)
    assert list(found) == list(DIGITS.search.space)
    assert found["augment.rotate.degrees"] == 10.0


def test_inactive_keys_have_no_value() -> None:
    study = load_study(
        "digits",
        ["search.space.model.width.when={train.batch_size: [32, 128]}",
         "search.space.model.dropout.when={model.width: 32}"],
    )  # fmt: skip
    assert values_of(study, study.trial_config).keys() & {"model.width", "model.dropout"} == set()
    active = apply_values(study.trial_config, {"train.batch_size": 128})
    assert values_of(study, active).keys() >= {"model.width", "model.dropout"}


def test_values_are_in_the_spaces_own_types() -> None:
    study = load_study("digits", ["search.space.augment.rotate.degrees.type=int"])
    assert type(values_of(study, study.trial_config)["augment.rotate.degrees"]) is int


@pytest.mark.parametrize(
    ("start", "values", "model"),
    [
        (Small(width=3), {"model.kind": "small"}, Small(width=3)),
        (Small(width=3, dropout=0.9), {"model.kind": "large"}, Large()),
        (Small(), {"model.dropout": 0.2, "model.kind": "large"}, Large(dropout=0.2)),
        (Small(), {"model.head.layers": 3, "model.kind": "large"}, Large(head=Head(layers=3))),
        (Large(head=None), {"model.head.layers": 2}, Large(head=Head(layers=2))),
        (Large(), {"model.kind": "small", "model.width": 2}, Small(width=2)),
    ],
    ids=["same kind", "defaults", "key after kind", "nested", "off", "back"],
)
def test_another_kind_starts_from_its_defaults(start: object, values: dict, model: object) -> None:
    config = Config.model_validate({"model": start})
    assert apply_values(config, values) == Config.model_validate({"model": model})
    assert config.model == start


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"model.widht": 1}, "did you mean model.width?"),
        ({"model.kind": "medium"}, "medium"),
        ({"model.kind": "large", "model.width": 3}, "unknown key"),
        ({"model.width": 0}, "not at least 1"),
        ({"head.layers.x": 0}, "plain value"),
    ],
)
def test_values_refused_by_a_field_are_reported(values: dict, says: str) -> None:
    with pytest.raises(BadConfig, match=says.replace("?", r"\?")):
        apply_values(Config(), values)
