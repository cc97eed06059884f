"""The identity of a study stays what it was before a setting existed."""

from __future__ import annotations

from conf.loading.digests import study_digest, study_identity
from conf.loading.load import load_study


def test_options_of_skopt_enter_the_identity_only_where_they_differ_from_the_defaults() -> None:
    plain = load_study("digits", ["search.strategy=skopt"])
    default = load_study("digits", ["search.strategy=skopt", "search.skopt.estimator=GP"])
    other = load_study("digits", ["search.strategy=skopt", "search.skopt.estimator=ET"])
    assert "skopt" not in study_identity(load_study("digits"))["search"]
    assert study_digest(plain) == study_digest(default) != study_digest(other)
