"""Figures of what the model expects, and what a study has cost."""

from __future__ import annotations

import numpy as np
import pytest

from conf.runtime.home import Home
from conf.schema.run import StoppingCriteria
from tasks.report.leaderboard import leaderboard
from tasks.report.page import page
from tasks.report.sections.cost import cost
from tasks.report.sections.importance import fitted_quantities
from tasks.report.sections.partial_dependence import PartialDependence, partial_dependence
from tasks.study.reader import StudyRecord
from tests.unit.report.made import made_study


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> StudyRecord:
    """A study with enough trials to learn from, of which the learning rate decides."""
    return made_study(Home.open(tmp_path_factory.mktemp("large")), trials=40, failed=(5, 11))


@pytest.fixture(scope="module")
def found(large: StudyRecord) -> PartialDependence:
    """Its effects."""
    rows, study = list(leaderboard(large)), large.study
    return partial_dependence(
        fitted_quantities(large)[0], rows, study.search.space, "accuracy", large.state.sign
    )


def test_the_slice_of_what_decides_rises_and_falls_with_it(found: PartialDependence) -> None:
    assert found.slices[0] == "lr"
    _, _, line, dots = found.figures["slice-0"]["data"]
    middle = line["y"][len(line["y"]) // 2 - 8 : len(line["y"]) // 2 + 8]
    assert max(middle) > line["y"][0] + 0.02 and max(middle) > line["y"][-1] + 0.02
    assert len(dots["x"]) == 38 and all(0 <= x <= len(line["x"]) - 1 for x in dots["x"])


def test_random_search_comes_nearer_with_every_trial(found: PartialDependence) -> None:
    assert len(found.chance) == 40
    assert np.all(np.diff(found.chance) >= 0)


def test_of_what_decides_nothing_there_is_no_slice(found: PartialDependence) -> None:
    assert len(found.slices) < 4 and len(found.plane) in (0, 2)
    assert set(found.figures) == {
        *(f"slice-{index}" for index in range(len(found.slices))),
        *(["plane"] if found.plane else []),
    }


def test_where_too_little_is_known_nothing_is_drawn(record: StudyRecord) -> None:
    none = partial_dependence(
        None, list(leaderboard(record)), record.study.search.space, "accuracy", -1.0
    )
    assert not none.figures and not none.chance


def test_the_page_shows_them(large: StudyRecord) -> None:
    text = page(large)
    assert "Partial dependence" in text and "random search, by the model" in text
    assert '<i class="bad"></i>failed' in text


def test_a_study_has_its_cost(large: StudyRecord) -> None:
    told = dict(cost(large))
    assert "in all trials" in told["training"] and "those that failed" in told["training"]
    assert told["epochs"].endswith(f" of {40 * large.study.train.epochs:,}")
    assert "in 40 steps" in told["searching"]


def test_money_is_counted_where_an_hour_has_a_price(home: Home) -> None:
    priced = made_study(home, trials=4, failed=(), stop=StoppingCriteria(cost_per_gpu_hour=2.0))
    told = dict(cost(priced))
    hours = priced.state.seconds / 3600
    assert float(told["GPU-hours"]) == pytest.approx(hours, rel=0.01)
    assert told["money"] == f"{2 * hours:.2f}"
