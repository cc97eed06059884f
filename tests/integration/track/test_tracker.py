"""The driver's record in a real MLflow database."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from tasks.study.events import Promoted, Stopped
from tasks.track import store
from tasks.track.writer import Tracker
from tests.integration.track.conftest import Recorded
from tests.unit.track.helpers import KEY


def eventually(true: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something is so; a run that is not there yet (KeyError) means not yet."""
    end = time.monotonic() + seconds
    while True:
        with suppress(KeyError):
            if true():
                return
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def ended(recorded: Recorded, number: int) -> int:
    """When a trial ended, in MLflow's milliseconds."""
    time = recorded.trial(number).ended
    assert time is not None
    return round(time * 1000)


def has_epochs(recorded: Recorded, count: int) -> bool:
    return len(recorded.child(0)["history"]["val/accuracy"]) == count


def test_a_whole_study_is_recorded(recorded: Recorded) -> None:
    recorded.track()
    recorded.ask(8, 16)
    recorded.complete(0, 0.5, 0.9, 0.8, 0.7)
    recorded.attempt(1)
    recorded.epochs(1, 0.4)
    recorded.finish(1, "failed", "nan")
    recorded.append(Stopped(reason="trials", time=recorded.tick()))
    page = recorded.home.report("letters")
    page.parent.mkdir()
    page.write_text("<html>")
    recorded.trackers[0].artifact(page)
    assert recorded.close()

    record = recorded.record()
    assert len(record) == 3
    parent, best, failed = record["letters"], recorded.child(0), recorded.child(1)
    assert (parent["status"], best["status"], failed["status"]) == (
        "FINISHED",
        "FINISHED",
        "FAILED",
    )
    assert parent["tags"]["dense.best"] == "0"
    assert parent["tags"]["prefect.flow_run_id"] == best["tags"]["prefect.flow_run_id"] == "flow-1"
    assert set(parent["artifacts"]) == {"letters.html", "config.yaml"}
    assert best["tags"]["mlflow.parentRunId"] == "letters"
    assert best["params"] == {"train.lr": "0.001", "model.width": "8"}
    assert best["latest"]["val/accuracy"] == best["latest"]["objective"] == 0.9
    assert [value for _, value, _ in best["history"]["val/accuracy"]] == [0.5, 0.9, 0.8, 0.7, 0.9]
    assert best["inputs"] == [KEY[:36]]
    assert "width: 8" in best["artifacts"]["config.yaml"]
    assert best["end"] == ended(recorded, 0)
    assert failed["tags"]["dense.cause"] == "nan"
    assert "objective" not in failed["latest"]


def test_a_second_driver_adds_to_the_same_runs(recorded: Recorded) -> None:
    recorded.track()
    recorded.ask(8)
    recorded.complete(0, 0.5, 0.6, 0.7, 0.8)
    assert recorded.close()
    before = recorded.child(0)
    recorded.track(flow_run="flow-2")
    recorded.ask(16)
    recorded.complete(1, 0.5, 0.6, 0.7, 0.9)
    assert recorded.close()
    assert recorded.child(0) == before
    assert recorded.child(1)["tags"]["prefect.flow_run_id"] == "flow-2"
    assert recorded.record()["letters"]["tags"]["prefect.flow_run_id"] == "flow-2"
    assert len(recorded.record()) == 3


def test_a_driver_that_was_killed_leaves_no_gap(recorded: Recorded) -> None:
    """Its lines are logged again from the first, and count once."""
    recorded.track()
    recorded.ask(8)
    recorded.attempt(0)
    recorded.epochs(0, 0.5, 0.6)
    eventually(lambda: "val/accuracy" in recorded.child(0)["latest"])
    killed = recorded.trackers.pop()
    killed._abandoned.set()  # its thread ends without a last word
    assert recorded.child(0)["status"] == "RUNNING"
    recorded.epochs(0, 0.7, 0.8)
    recorded.track()
    recorded.finish(0)
    assert recorded.close()
    child = recorded.child(0)
    assert child["status"] == "FINISHED"
    assert [step for step, _, _ in child["history"]["val/accuracy"]] == [1, 2, 3, 4]
    assert child["inputs"] == [KEY[:36]]


def test_an_interrupted_trial_is_killed_and_goes_on_in_the_same_run(recorded: Recorded) -> None:
    recorded.track()
    recorded.ask(8)
    recorded.attempt(0)
    recorded.epochs(0, 0.5)
    recorded.interrupt(0)
    recorded.append(Stopped(reason="user", time=recorded.tick()))
    assert recorded.close()
    assert recorded.child(0)["status"] == recorded.record()["letters"]["status"] == "KILLED"
    assert recorded.child(0)["tags"]["dense.outcome"] == "interrupted"
    recorded.track()
    recorded.attempt(0)
    eventually(lambda: recorded.child(0)["status"] == "RUNNING")
    assert recorded.record()["letters"]["status"] == "RUNNING"
    recorded.epochs(0, 0.6, 0.7, 0.8)
    recorded.finish(0)
    assert recorded.close()
    child = recorded.child(0)
    assert (child["status"], child["tags"]["dense.outcome"]) == ("FINISHED", "complete")
    assert child["end"] == ended(recorded, 0)
    assert len(recorded.record()) == 2


def test_a_promoted_trial_runs_again_and_keeps_its_rung(recorded: Recorded) -> None:
    recorded.track()
    recorded.ask(8)
    recorded.attempt(0, until=2)
    recorded.epochs(0, 0.5, 0.6)
    recorded.report(0, 2)
    recorded.finish(0, "paused")
    assert recorded.close()
    paused = recorded.child(0)
    assert (paused["status"], paused["tags"]["dense.outcome"]) == ("FINISHED", "paused")
    recorded.track()
    recorded.append(Promoted(number=0, until=4, time=recorded.tick()))
    recorded.attempt(0)
    eventually(lambda: recorded.child(0)["status"] == "RUNNING")
    recorded.epochs(0, 0.8, 0.7)
    recorded.finish(0)
    assert recorded.close()
    child = recorded.child(0)
    assert child["status"] == "FINISHED"
    assert [point[:2] for point in child["history"]["objective"]] == [(2, 0.6), (4, 0.8)]


def test_curves_appear_while_a_trial_runs(recorded: Recorded) -> None:
    recorded.track()
    recorded.ask(8)
    recorded.attempt(0)
    for count, accuracy in enumerate((0.5, 0.6), start=1):
        recorded.epochs(0, accuracy)
        eventually(partial(has_epochs, recorded, count))
    assert recorded.child(0)["status"] == "RUNNING"


def test_of_two_runs_of_one_trial_the_older_stays(recorded: Recorded) -> None:
    tracker = recorded.track()
    recorded.ask(8)
    recorded.attempt(0)
    recorded.epochs(0, 0.5)
    assert recorded.close()
    client = store.client(tracker.uri)
    (run,) = client.search_runs([tracker.experiment_id], "tags.`dense.kind` = 'trial'")
    later = run.info.start_time + 1
    twin = client.create_run(tracker.experiment_id, start_time=later, tags=dict(run.data.tags))
    recorded.track()
    recorded.finish(0)
    assert recorded.close()
    (left,) = client.search_runs([tracker.experiment_id], "tags.`dense.kind` = 'trial'")
    assert left.info.run_id == run.info.run_id != twin.info.run_id
    assert left.info.status == "FINISHED"


def test_a_run_that_somebody_deletes_meanwhile_is_made_anew(recorded: Recorded) -> None:
    tracker = recorded.track()
    recorded.ask(8)
    recorded.attempt(0)
    recorded.epochs(0, 0.5)
    eventually(lambda: len(recorded.record()) == 2)
    client = store.client(tracker.uri)
    (run,) = client.search_runs([tracker.experiment_id], "tags.`dense.kind` = 'trial'")
    client.delete_run(run.info.run_id)
    recorded.epochs(0, 0.6, 0.7, 0.8)
    recorded.finish(0)
    assert recorded.close()
    assert recorded.child(0)["latest"]["objective"] == 0.8


def test_an_evaluation_that_comes_late_is_added(recorded: Recorded) -> None:
    tracker = recorded.track()
    recorded.ask(8)
    recorded.attempt(0)
    recorded.epochs(0, 0.9, 0.5)
    recorded.finish(0)
    path = recorded.folder(0).evaluation
    text = path.read_text()
    eventually(lambda: recorded.child(0)["status"] == "FINISHED")
    path.write_text(text.replace('"value":0.9', '"value":0.95'))
    tracker.update(0)
    assert recorded.close()
    assert recorded.child(0)["latest"]["val/accuracy"] == 0.95


def test_more_values_than_fit_one_call(recorded: Recorded) -> None:
    recorded.track()
    recorded.ask(8)
    recorded.attempt(0)
    recorded.epochs(0, *(index / 1000 for index in range(700)))
    recorded.finish(0)
    assert recorded.close()
    assert len(recorded.child(0)["history"]["train/loss"]) == 700


class Failing:
    """A client whose every call fails while `error` is set."""

    def __init__(self, client: Any, error: Exception | None) -> None:
        self.client = client
        self.error = error
        self.calls = 0
        self.hang: threading.Event | None = None

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.hang is not None:
                self.hang.wait(30)
            if self.error is not None:
                raise self.error
            return getattr(self.client, name)(*args, **kwargs)

        return call


def away() -> Exception:
    from mlflow.exceptions import MlflowException

    return MlflowException("API request failed: connection refused")


def failing(tracker: Tracker, error: Exception | None) -> Failing:
    client = Failing(tracker.ledger._client, error)
    tracker.ledger._client = client
    return client


def test_while_mlflow_is_away_the_files_are_the_queue(recorded: Recorded) -> None:
    tracker = recorded.track()
    recorded.ask(8, 16)
    client = failing(tracker, away())
    recorded.complete(0, 0.5, 0.6, 0.7, 0.8)
    recorded.complete(1, 0.5, 0.6, 0.7, 0.9)
    eventually(lambda: client.calls > 1)
    assert tracker.unwritten >= 2
    client.error = None
    assert recorded.close()
    assert tracker.complaint == ""
    assert {recorded.child(0)["status"], recorded.child(1)["status"]} == {"FINISHED"}


def test_patience_ends_and_the_sentence_says_how_to_go_on(recorded: Recorded) -> None:
    tracker = recorded.track()
    recorded.ask(8)
    failing(tracker, away())
    recorded.complete(0, 0.5, 0.6, 0.7, 0.8)
    begun = time.monotonic()
    assert not tracker.close(1.0)
    assert 1.0 <= time.monotonic() - begun < 5.0
    assert "connection refused" in tracker.complaint
    assert "dense sync letters" in tracker.complaint
    assert "\n" not in tracker.complaint
    recorded.trackers.clear()
    recorded.track()
    assert recorded.close()
    assert recorded.child(0)["latest"]["objective"] == 0.8


def test_a_call_that_hangs_at_the_end_counts_as_unwritten(recorded: Recorded) -> None:
    tracker = recorded.track()
    eventually(lambda: not tracker.unwritten)
    client, hung = failing(tracker, away()), threading.Event()
    recorded.ask(8)
    recorded.attempt(0)
    eventually(lambda: client.calls > 0)
    client.hang = hung
    try:
        assert not tracker.close(0.5)
        assert tracker.complaint
    finally:
        hung.set()
        recorded.trackers.clear()


def test_what_mlflow_refuses_holds_nothing_else_up(recorded: Recorded) -> None:
    tracker = recorded.track()
    recorded.ask(8, 16)
    recorded.attempt(0)
    recorded.folder(0).metrics.write_text("this is no line\n")
    recorded.complete(1, 0.5, 0.6, 0.7, 0.9)
    assert not recorded.close()
    assert "metrics.jsonl:1" in tracker.complaint
    assert recorded.child(1)["status"] == "FINISHED"


def test_a_deleted_experiment_is_bad_input(recorded: Recorded) -> None:
    tracker = recorded.track()
    assert recorded.close()
    store.client(tracker.uri).delete_experiment(tracker.experiment_id)
    sessions = (recorded.home.study("letters") / "sessions.jsonl").read_bytes()
    with pytest.raises(BadInput, match=r"was deleted.*experiments restore.*name=<new name>"):
        recorded.track()
    assert (recorded.home.study("letters") / "sessions.jsonl").read_bytes() == sessions


def test_a_study_of_that_name_from_another_home_is_refused(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded.track()
    assert recorded.close()
    other = Home.open(recorded.home.path.parent / "other")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.own_uri(recorded.home))
    with pytest.raises(BadInput, match=r"from another home.*name=<new name>"):
        Recorded(other).track()


def test_an_experiment_whose_artifacts_a_server_keeps_is_refused(recorded: Recorded) -> None:
    client = store.client(store.bootstrap(recorded.home))
    client.create_experiment("letters", artifact_location="mlflow-artifacts:/7")
    with pytest.raises(BadInput, match="set MLFLOW_TRACKING_URI to that server's address"):
        recorded.track()


def test_an_mlflow_that_went_away_since_the_last_study_is_bad_input(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.bootstrap(recorded.home)
    whole = store.client
    monkeypatch.setattr(store, "client", lambda uri: Failing(whole(uri), away()))
    with pytest.raises(BadInput, match=r"does not answer .*connection refused"):
        recorded.track()
    assert not (recorded.home.study("letters") / "sessions.jsonl").exists()
