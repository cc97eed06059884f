"""Several objectives and constraints: leaderboard, page, summary."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import pytest

from conf.runtime.home import Home
from conf.schema.evaluate import Evaluate
from tasks.report.leaderboard import as_records, leaderboard
from tasks.report.page import page
from tasks.report.sections.pareto import pareto_trials
from tasks.report.sections.summary import summary
from tasks.report.view import Surroundings, view
from tasks.study.reader import StudyRecord
from tests.unit.report.made import made_home, made_study
from tests.unit.report.test_figures import coloured

EVALUATE = Evaluate(also=("latency_ms",), constraints=("latency_ms <= 20",))


def ends(number: int) -> dict[str, Any]:
    """Every third trial is quick, the others take longer the later; the last two too long."""
    if number in (5, 11):
        return {}
    latency = 2.0 if number % 3 == 0 else 6.0 + number
    return {
        "measures": {"latency_ms": latency},
        "broken": ("latency_ms <= 20",) if latency > 19 else (),
    }


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> StudyRecord:
    """A study of two objectives."""
    home = made_home(tmp_path_factory.mktemp("several"))
    return made_study(home, evaluate=EVALUATE, ends=ends)


def test_the_front_is_what_none_beats_and_keeps_the_constraints(several: StudyRecord) -> None:
    found = pareto_trials(several)
    trials = several.state.trials
    assert several.best is not None and found[0] == several.best.number
    latencies = [trials[number].measures["latency_ms"] for number in found]
    assert latencies == sorted(latencies, reverse=True)  # worse here, hence better there
    assert not any(trials[number].broken for number in found)
    assert latencies[-1] == 2.0


def test_one_objective_has_no_front(record: StudyRecord) -> None:
    assert pareto_trials(record) == []
    assert "Several objectives" not in page(record)


def test_what_breaks_a_constraint_has_no_place_and_says_why(several: StudyRecord) -> None:
    broken = [row for row in leaderboard(several) if row.violated]
    assert [row.trial for row in broken] == [14]
    assert broken[0].place is None and broken[0].value is None
    last = next(row for row in as_records(several) if row["trial"] == "14")
    assert last["outcome"] == "violates latency_ms <= 20" and last["latency_ms"] == "20"


def test_the_page_draws_the_front(several: StudyRecord) -> None:
    figure = view(several, Surroundings()).figures["front-0"]
    go.Figure(coloured(figure))
    behind, on_it = figure["data"]
    assert set(on_it["x"]) <= {2.0, *(6.0 + n for n in range(14))}
    assert len(behind["x"]) + len(on_it["x"]) == 13
    text = page(several)
    assert "Several objectives" in text and 'id="front-0"' in text


def test_the_summary_has_the_front(several: StudyRecord) -> None:
    found = summary(several, seconds=1.0, report=None, tracking_uri="", experiment_id=None)
    assert [one["trial"] for one in found["front"]] == pareto_trials(several)
    assert set(found["front"][0]["objectives"]) == {"accuracy", "latency_ms"}


def test_where_nothing_keeps_the_constraints_nobody_is_best(home: Home) -> None:
    broken = {"measures": {"latency_ms": 99.0}, "broken": ("latency_ms <= 20",)}
    record = made_study(home, trials=4, failed=(), evaluate=EVALUATE, ends=lambda n: broken)
    assert record.best is None and pareto_trials(record) == []
    assert "violates latency_ms &lt;= 20" in page(record)
