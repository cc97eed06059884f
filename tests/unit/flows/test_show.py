"""What the commands that look print."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from conf.loading.load import load_study
from conf.runtime.home import Home
from flows.cli import show
from flows.servers import state
from tests.unit.report.made import crowned, made_study


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("DENSE_HOME", str(tmp_path))
    return Home.open(tmp_path)


def test_status_is_a_line_a_study(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    made_study(home)
    made_study(home, trials=3, failed=(), name="second")
    show.show_status(None)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("digits  16/16 trials, 2 failed  accuracy 0.")
    assert second.startswith("second  3/3 trials              accuracy 0.")
    assert first.rstrip().endswith("every trial was run")


def test_status_of_an_empty_home_says_what_to_do(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    show.show_status(None)
    assert "try: dense run digits" in capsys.readouterr().out


def test_the_command_that_compares_can_be_pasted_whatever_the_home_is_called(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    show.print_end(crowned(home, made_study(home)), "sqlite:////my home/mlflow.db")
    assert "--backend-store-uri 'sqlite:////my home/mlflow.db'" in capsys.readouterr().out


def test_the_end_of_a_run_tells_gain_champion_and_where_to_look(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    record = crowned(home, made_study(home))
    show.print_end(record, "sqlite:////h/mlflow.db")
    out = capsys.readouterr().out
    assert record.best is not None
    beside = Path(sys.executable).parent / "mlflow"
    shown = beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside
    for part in (
        "over trial 0 (95 %: ",
        f"digits version 3, trial {record.best.number}\n",
        "accuracy 0.9861 (0.9750 – 0.9972), f1_macro 0.9859",
        f"{shown} ui --backend-store-uri sqlite:////h/mlflow.db",
    ):
        assert part in out
    mlflow = state.Service(name="mlflow", pid=1, health="", page="http://127.0.0.1:5000", log="")
    state.write(home, state.Servers(services=(mlflow,)))
    with state.take(home, 0.0):
        show.print_end(record, "sqlite:////h/mlflow.db")
    assert "http://127.0.0.1:5000\n" in capsys.readouterr().out


def test_the_best_as_a_file_is_a_short_study_that_begins_with_it(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = made_study(home)
    show.show_best("digits", as_yaml=True)
    text = capsys.readouterr().out
    assert len(text.splitlines()) < 25
    (tmp_path / "next.yaml").write_text(text)
    found = load_study(str(tmp_path / "next.yaml"), allow_path=True)
    assert record.best is not None and found.trial_config == record.best.config
    assert found.search == record.study.search and found.name == "digits-next"
