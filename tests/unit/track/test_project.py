"""The projection: what MLflow is to say follows from journal and folders alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from conf.loading.digests import derived_seed, study_digest
from conf.runtime.home import Home
from tasks.evaluate.evaluation import Evaluation
from tasks.study.events import Promoted, Stopped
from tasks.track import project
from tasks.track.ledger import read_files
from tasks.track.project import Facts, Point
from tasks.track.sessions import SessionRecord
from tasks.train.spec import Result
from tests.unit.track.helpers import KEY, START, Written


@pytest.fixture
def written(home: Home) -> Written:
    return Written(home)


def facts(written: Written, *sessions: SessionRecord) -> Facts:
    return Facts(written.study, written.home.id, KEY, sessions)


def points(written: Written, number: int) -> list[Point]:
    return project.trial_points(written.trial(number), read_files(written.folder(number)))


def of(found: list[Point], key: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in found if point.key == key]


def test_a_trial_that_did_not_begin_has_no_run(written: Written) -> None:
    written.ask(8)
    assert project.trial_status(written.trial(0), live=True) is None
    assert project.trial_status(written.trial(0), live=False) is None


def test_statuses_follow_a_trials_life(written: Written) -> None:
    def now() -> tuple[str | None, str | None]:
        trial = written.trial(0)
        return project.trial_status(trial, live=True), project.trial_status(trial, live=False)

    written.ask(8)
    written.attempt(0, until=2)
    assert now() == ("RUNNING", "KILLED")
    written.interrupt(0)
    assert now() == ("RUNNING", "KILLED")
    written.attempt(0, until=2)
    written.epochs(0, 0.5, 0.6)
    written.report(0, 2)
    written.finish(0, "paused")
    assert now() == ("FINISHED", "FINISHED")
    written.append(Promoted(number=0, until=4, time=written.tick()))
    assert now() == ("RUNNING", "KILLED")
    written.attempt(0)
    written.epochs(0, 0.7, 0.6)
    written.finish(0)
    assert now() == ("FINISHED", "FINISHED")


def test_a_failure_that_is_tried_again_is_not_the_end(written: Written) -> None:
    written.ask(8)
    written.attempt(0)
    written.finish(0, "failed", "killed")
    assert project.trial_status(written.trial(0), live=True) == "RUNNING"
    written.attempt(0)
    written.finish(0, "failed", "nan")
    assert project.trial_status(written.trial(0), live=True) == "FAILED"
    tags = project.trial_tags(facts(written), written.trial(0), live=True)
    assert tags["dense.outcome"] == "failed"
    assert tags["dense.cause"] == "nan"
    assert tags[project.NOTE] == "it went wrong"


def test_a_metric_of_texts_is_quoted_with_its_signature() -> None:
    found = Evaluation(
        rows=1, objective="bleu", metrics={}, signatures={"bleu": "tok:13a"}, predictions="0" * 64
    )
    tags = project.signature_tags(project.Files(evaluation=found))
    assert tags == {"dense.signature.bleu": "tok:13a"}
    assert project.signature_tags(project.Files()) == {}


def test_tags_repeat_what_is_known_of_the_study(written: Written) -> None:
    written.ask(8)
    written.ask(16)
    written.attempt(1, until=2)
    written.epochs(1, 0.5, 0.6)
    written.report(1, 2)
    first = SessionRecord(time=START, flow_run="one", data_key=KEY, commit="abc")
    later = SessionRecord(time=written.now + 60, flow_run="two", data_key=KEY, commit="def")
    tags = project.trial_tags(facts(written, first, later), written.trial(1), live=True)
    assert tags == {
        "mlflow.runName": f"1-{written.trial(1).digest[:8]}",
        "dense.kind": "trial",
        "dense.study": "letters",
        "dense.study_digest": study_digest(written.study),
        "dense.data": KEY,
        "dense.home": written.home.id,
        "mlflow.source.name": "dense run letters",
        "mlflow.source.type": "LOCAL",
        "dense.trial": "1",
        "dense.digest": written.trial(1).digest,
        "dense.batch": "1",
        "dense.origin": "sobol",
        "dense.seed": str(derived_seed(3, 1)),
        "dense.rung": "2",
        "dense.outcome": "running",
        "dense.git_commit": "abc",
        "prefect.flow_run_id": "one",
    }


def test_parameters_are_all_searched_settings(written: Written) -> None:
    written.ask(16)
    assert project.trial_params(written.trial(0)) == {"train.lr": "0.001", "model.width": "16"}


def test_the_configuration_is_whole_and_the_trials_own(written: Written) -> None:
    from conf.loading.yaml import parse_yaml

    written.ask(16)
    text = project.config_yaml(facts(written), written.trial(0))
    config = parse_yaml(text, "config.yaml").value
    assert config["model"]["width"] == 16
    assert list(config) == list(type(written.study.trial_config).model_fields)


def test_the_curve_carries_its_own_times(written: Written) -> None:
    written.ask(8)
    written.attempt(0)
    written.epochs(0, 0.5, 0.7)
    found = points(written, 0)
    assert of(found, "val/accuracy") == [(1, 0.5), (2, 0.7)]
    assert of(found, "train/loss") == [(1, 1.0), (2, 0.5)]
    assert of(found, "seconds/wait") == [(0, 1.5)]  # asked, a second later begun, half a second in
    times = [point.time for point in found if point.key == "val/accuracy"]
    assert times == [round((START + 3) * 1000), round((START + 4) * 1000)]
    assert not of(found, "objective")


def test_the_curve_carries_what_the_machine_was_used_for(written: Written) -> None:
    written.ask(8)
    written.attempt(0)
    written.epochs(0, 0.5, 0.6)
    files = read_files(written.folder(0))
    used = {"system/cpu_percent": 97.0, "system/memory_gib": 1.5}
    metered = replace(files, lines=(files.lines[0].model_copy(update={"system": used}),))
    found = project.trial_points(written.trial(0), metered)
    assert of(found, "system/cpu_percent") == [(1, 97.0)]
    assert of(found, "system/memory_gib") == [(1, 1.5)]


def test_the_end_says_what_the_trial_was_worth(written: Written) -> None:
    written.ask(8)
    written.attempt(0)
    written.epochs(0, 0.5, 0.9, 0.8, 0.7)
    written.finish(0)
    found = points(written, 0)
    assert of(found, "objective") == [(0, 0.9)]
    assert of(found, "val/accuracy")[-2:] == [(4, 0.7), (4, 0.9)]
    assert of(found, "seconds/train") == [(0, 2.0)]
    assert of(found, "gpu_hours") == [(0, 0.0)]
    assert of(found, "params/total") == [(0, 1000.0)]
    assert of(found, "params/trainable") == [(0, 900.0)]
    last = [point for point in found if point.key == "val/accuracy"]
    assert last[-1].time > last[-2].time  # so that MLflow shows it as the latest


def test_the_last_epoch_is_not_said_twice_when_it_was_the_best(written: Written) -> None:
    written.ask(8)
    written.attempt(0)
    written.epochs(0, 0.5, 0.6, 0.7, 0.9)
    written.finish(0)
    assert of(points(written, 0), "val/accuracy") == [(1, 0.5), (2, 0.6), (3, 0.7), (4, 0.9)]


def test_what_was_said_at_a_rung_is_still_said_after_the_promotion(written: Written) -> None:
    written.ask(8)
    written.attempt(0, until=2)
    written.epochs(0, 0.5, 0.6)
    written.report(0, 2)
    written.finish(0, "paused")
    paused = points(written, 0)
    written.append(Promoted(number=0, until=4, time=written.tick()))
    written.attempt(0)
    written.epochs(0, 0.7, 0.6)
    written.finish(0)
    after = points(written, 0)
    assert set(paused) <= set(after)
    assert of(after, "objective") == [(2, 0.6), (4, 0.7)]


def test_a_failed_trial_has_no_objective(written: Written) -> None:
    written.ask(8)
    written.attempt(0)
    written.epochs(0, 0.5)
    written.finish(0, "failed", "nan")
    found = points(written, 0)
    assert not of(found, "objective")
    assert of(found, "seconds/train") == [(0, 2.0)]


def test_gpu_hours_count_every_device(written: Written) -> None:
    written.ask(8)
    written.attempt(0)
    written.epochs(0, 0.5)
    written.finish(0)
    files = read_files(written.folder(0))
    assert files.result is not None
    on_gpu = files.result.model_copy(update={"gpu_memory": 10})
    found = project.trial_points(written.trial(0), replace(files, result=on_gpu, devices=2))
    assert of(found, "gpu_hours") == [(0, 2 * 2.0 / 3600)]


def test_another_attempts_result_does_not_count(written: Written) -> None:
    written.ask(8)
    written.attempt(0)
    written.epochs(0, 0.5)
    written.finish(0)
    path = written.folder(0).path
    result = Result.read(path)
    assert result is not None
    result.model_copy(update={"attempt": 7}).write(path)
    assert not of(points(written, 0), "params/total")


def test_a_trial_whose_folder_is_gone_still_has_what_the_journal_says(written: Written) -> None:
    import shutil

    written.ask(8)
    written.attempt(0)
    written.epochs(0, 0.5)
    written.finish(0)
    shutil.rmtree(written.folder(0).path)
    assert of(points(written, 0), "objective") == [(0, 0.5)]


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        pytest.param(None, "KILLED", id="killed"),
        pytest.param("user", "KILLED", id="user"),
        pytest.param("failures", "FAILED", id="gave-up"),
        pytest.param("trials", "FINISHED", id="trials"),
        pytest.param("target", "FINISHED", id="target"),
    ],
)
def test_the_parents_status_says_how_the_study_ended(
    written: Written, reason: str | None, status: str
) -> None:
    if reason:
        written.append(Stopped(reason=reason, time=written.tick()))
    assert project.study_status(written.state, live=False) == status
    assert project.study_status(written.state, live=True) == "RUNNING"
    tags = project.study_tags(facts(written), written.state, live=False)
    assert tags["dense.outcome"] == (reason or "interrupted")


def test_the_description_says_best_flow_run_and_how_to_go_on(written: Written) -> None:
    written.ask(8)
    written.attempt(0)
    written.epochs(0, 0.5)
    written.finish(0)
    known = facts(written, SessionRecord(time=START, flow_run="f-1", data_key=KEY))
    text = project.description(known, written.state)
    for part in ("`train.lr`", "Best: trial 0, accuracy 0.5", "`f-1`", "`dense run letters`"):
        assert part in text
    assert project.study_tags(known, written.state, live=True)["dense.best"] == "0"


def test_the_description_links_to_the_run_the_report_and_all_trials(written: Written) -> None:
    page = "http://here/runs/flow-run/f-1"
    known = facts(
        written, SessionRecord(time=START, flow_run="f-1", flow_run_page=page, data_key=KEY)
    )
    text = project.description(known, written.state, "#/page", "#/trials")
    for link in (
        f"[The run in Prefect]({page})",
        "[The report](#/page)",
        "[All trials side by side](#/trials)",
    ):
        assert link in text


def test_the_study_has_the_best_so_far_by_ended_trials(written: Written) -> None:
    written.ask(8, 16, 32, 8)
    for number, accuracy in enumerate((0.5, 0.9, 0.7)):
        written.attempt(number)
        written.epochs(number, accuracy)
        written.finish(number)
    written.attempt(3)
    written.finish(3, "failed", "nan")
    found = project.study_points(facts(written), written.state)
    assert of(found, "best/accuracy") == [(1, 0.5), (2, 0.9), (3, 0.9)]


def test_nothing_in_a_projection_depends_on_when_it_is_made(written: Written) -> None:
    written.ask(8)
    written.attempt(0)
    written.epochs(0, 0.5)
    written.finish(0)
    known = facts(written, SessionRecord(time=START, flow_run="f-1", data_key=KEY))

    def all_of_it() -> str:
        trial = written.trial(0)
        parts = [points(written, 0), project.trial_tags(known, trial, live=False)]
        return json.dumps([*parts, project.study_tags(known, written.state, live=False)])

    assert all_of_it() == all_of_it()
