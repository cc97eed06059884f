"""The object that `--json` prints."""

from __future__ import annotations

import json
from pathlib import Path

from conf.loading.digests import study_digest
from tasks.report.sections.summary import summary
from tasks.study.reader import StudyRecord
from tests.unit.report.made import made_home, made_study

GIVEN = {"seconds": 1.5, "tracking_uri": "sqlite:///x", "experiment_id": "1"}


def test_it_says_what_the_study_came_to(record: StudyRecord) -> None:
    found = summary(record, report=Path("/page.html"), **GIVEN)  # type: ignore[arg-type]
    assert json.loads(json.dumps(found)) == found
    assert found["study"] == "digits"
    assert found["study_digest"] == study_digest(record.study)
    assert found["trials"] == 16
    assert found["outcomes"] == {"complete": 14, "stopped": 0, "paused": 0, "failed": 2}
    best = record.best
    assert best is not None
    objective = found["best"]["objective"]["accuracy"]
    assert found["best"]["trial"] == best.number
    assert objective["value"] == best.trial.value
    assert objective["low"] <= objective["value"] <= objective["high"]
    assert found["best"]["values"].keys() == record.study.search.space.keys()
    champion = found["champion"]
    assert (champion["run_id"], champion["version"]) == ("5f1c", "3")
    assert champion["test"]["accuracy"] == {"value": 0.9861, "low": 0.975, "high": 0.9972}
    assert champion["validation"]["accuracy"]["value"] == best.trial.value
    assert found["report"] == "/page.html"
    assert found["home"] == str(record.home.path)


def test_a_study_without_success_has_neither_best_nor_champion(tmp_path: Path) -> None:
    record = made_study(made_home(tmp_path), trials=2, failed=(0, 1))
    found = summary(record, report=None, **GIVEN)  # type: ignore[arg-type]
    assert (found["best"], found["champion"], found["report"]) == (None, None, None)
    assert found["outcomes"]["failed"] == 2
