"""The read model."""

from __future__ import annotations

import pytest

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.run import Resources
from tasks.study.reader import StudyRecord, studies
from tasks.study.writer import OpenStudy
from tests.unit.study.examples import ME, STUDY, asked, attempt, complete, failed, other


@pytest.fixture
def begun(home: Home) -> Home:
    """A home in which trial 2 beats trial 0, trial 3 failed and trial 4 runs."""
    changed = other(resources=Resources(threads=2))
    OpenStudy.open(home, STUDY, ME, 0.0).close()
    with OpenStudy.open(home, changed, ME, 0.0) as study:
        study.append(asked(0, 5), *map(attempt, range(5)))
        study.append(complete(2, 0.75), complete(1, 0.25), complete(0, 0.5), failed(3, "nan"))
    return home


def test_the_record_tells_what_happened(begun: Home) -> None:
    record = StudyRecord.read(begun, "digits")
    assert record.study == other(resources=Resources(threads=2))
    assert [trial.number for trial in record.leaderboard()] == [2, 0, 1]
    assert record.best is not None and record.best.number == 2
    assert record.gain == 0.25
    assert record.outcomes == {"complete": 3, "stopped": 0, "paused": 0, "failed": 1}
    assert [trial.trial.status for trial in record][3:] == ["failed", "running"]
    assert record.holder is None


def test_a_trial_is_its_settings_in_the_study(begun: Home) -> None:
    trial = StudyRecord.read(begun, "digits").trial(2)
    assert trial.config.train.lr == trial.trial.values["train.lr"] == 0.02
    assert trial.path == begun.trial("digits", 2, trial.trial.digest)
    assert trial.curve == []
    assert trial.evaluation is None


@pytest.mark.parametrize("number", [-1, 5])
def test_there_are_no_other_trials(begun: Home, number: int) -> None:
    with pytest.raises(BadInput, match=f"no trial {number}; it has 5"):
        StudyRecord.read(begun, "digits").trial(number)


def test_reading_neither_holds_nor_changes_a_study(begun: Home) -> None:
    path = begun.study("digits") / "journal.jsonl"
    torn = path.read_bytes() + b'{"event":"at'
    path.write_bytes(torn)
    with path.open("ab"):
        assert StudyRecord.read(begun, "digits").state.asked == 5
    assert path.read_bytes() == torn
    with OpenStudy.open(begun, STUDY, ME, 0.0):
        held = StudyRecord.read(begun, "digits")
        assert held.holder == ME


def test_a_study_without_trials_has_no_best(home: Home) -> None:
    OpenStudy.open(home, STUDY, ME, 0.0).close()
    record = StudyRecord.read(home, "digits")
    assert (record.best, record.gain, list(record)) == (None, None, [])


def test_an_unknown_study_is_refused_with_those_there_are(begun: Home) -> None:
    assert studies(begun) == ["digits"]
    with pytest.raises(BadInput, match=r"no study 'digit' .*begun were: digits"):
        StudyRecord.read(begun, "digit")
