"""The command undisturbed; then Ctrl-C, and `kill -9` of the command, the trial server and trials:
nothing is lost, nothing runs twice."""

from __future__ import annotations

import random
import signal
import time

import pytest

from tests.e2e.command import Command, kill, of
from tests.e2e.same import assert_same, champion, metrics
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def seeds() -> random.Random:
    return random.Random(7)


def test_undisturbed_it_runs_to_a_champion_and_then_has_nothing_to_do(straight: Command) -> None:
    journal = straight.journal()
    found = straight.json("run", str(straight.study(epochs=4, champion=True)))
    assert straight.journal() == journal, "a finished study was changed"
    assert (found["study"], found["trials"]) == ("tiny", 4)
    assert found["outcomes"] == {"complete": 4, "stopped": 0, "paused": 0, "failed": 0}
    assert 0.2 < found["best"]["objective"]["accuracy"]["value"] <= 1.0
    assert found["champion"]["version"] == "1"
    test = found["champion"]["test"]["accuracy"]
    assert test["low"] <= test["value"]
    assert sorted(metrics(straight)) == ["0", "1", "2", "3"]
    straight.assert_no_process_left()


def test_the_command_killed_twice_ends_as_one_never_killed(
    dense: Command, straight: Command
) -> None:
    study = str(dense.study(epochs=4, champion=True))
    for attempts in (2, 4):
        process = dense.start("run", study)
        dense.until(lambda lines, n=attempts: len(of(lines, "attempt")) >= n)
        time.sleep(0.5)
        kill(process)
        process.communicate()
        dense.assert_no_process_left()
    dense.json("run", study)
    assert "driver" in {line["by"] for line in of(dense.journal(), "interrupted")}
    assert champion(dense) == champion(straight) is not None
    assert_same(dense, straight)


def test_trials_and_their_server_killed_are_made_good_in_the_same_run(
    dense: Command, straight: Command
) -> None:
    process = dense.start("run", str(dense.study(epochs=4)))
    dense.until(lambda lines: len(of(lines, "attempt")) >= 1)
    deadline = time.monotonic() + 30
    while not (trials := dense.trials()) and time.monotonic() < deadline:
        time.sleep(0.02)
    kill(trials[0])
    dense.until(lambda lines: len(of(lines, "attempt")) >= 4)
    kill(dense.trial_server())
    _out, err = process.communicate(timeout=400)
    assert process.returncode == 0, err
    assert "killed" in {line["cause"] for line in of(dense.journal(), "finished")}
    dense.assert_no_process_left()
    assert_same(dense, straight)


@pytest.mark.long
def test_ctrl_c_stops_with_130_and_the_next_run_continues(
    dense: Command, straight: Command
) -> None:
    study = str(dense.study(epochs=4))
    process = dense.start("run", study)
    dense.until(lambda lines: len(of(lines, "attempt")) >= 2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "dense run tiny" in out + err, "it says how to continue"
    dense.assert_no_process_left()
    assert of(dense.journal(), "stopped")[-1]["reason"] == "user"
    assert {line["by"] for line in of(dense.journal(), "interrupted")} <= {"user"}
    dense.json("run", study)
    assert_same(dense, straight)


@pytest.mark.parametrize(
    "seconds", [0.0, *(pytest.param(n / 2, marks=pytest.mark.long) for n in range(1, 13))]
)
def test_sigterm_while_everything_starts_ends_the_command_with_130(
    dense: Command, seconds: float
) -> None:
    process = dense.start("run", str(dense.study()))
    wait_until((dense.home / "logs" / "trial-server.log").exists)
    time.sleep(seconds)
    process.terminate()
    _out, err = process.communicate(timeout=120)
    assert process.returncode == 130 and "Traceback" not in err, err
    dense.assert_no_process_left()


@pytest.mark.long
@pytest.mark.parametrize("round_", range(8))
def test_killed_at_random_moments(
    dense: Command, straight: Command, seeds: random.Random, round_: int
) -> None:
    study = str(dense.study(epochs=4, champion=True))
    for _ in range(4):
        process = dense.start("run", study)
        time.sleep(seeds.uniform(2.0, 25.0))
        victims = [process, *dense.trials()]
        kill(seeds.choice(victims))
        time.sleep(seeds.uniform(0.0, 2.0))
        kill(process)
        process.communicate()
        dense.assert_no_process_left()
    dense.json("run", study)
    assert_same(dense, straight)
