from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conf.runtime import child_process
from conf.runtime.errors import BadInput, DenseError

MODULE = "tests.unit.conf.echo"


@pytest.fixture(autouse=True)
def _tests_are_found(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setenv("PYTHONPATH", str(request.config.rootpath))


def ask(tmp_path: Path, seconds: float = 30, **request: object) -> dict[str, object]:
    return child_process.call(MODULE, request, log=tmp_path / "log", threads=1, seconds=seconds)


def test_a_request_is_answered_and_what_libraries_print_is_not_the_answer(tmp_path: Path) -> None:
    assert ask(tmp_path, say="hello") == {"said": "hello", "threads": "1"}
    assert "noise" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(("kind", "error"), [("bad", BadInput), ("dense", DenseError)])
def test_an_error_is_passed_on_as_its_sentence(
    tmp_path: Path, kind: str, error: type[DenseError]
) -> None:
    with pytest.raises(error, match=r"^the sentence$"):
        ask(tmp_path, error=kind)


def test_packages_of_where_the_user_works_are_not_taken_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/__init__.py").write_text("raise RuntimeError('of another project')")
    monkeypatch.chdir(tmp_path)
    assert ask(tmp_path, say="hello")["said"] == "hello"


def test_a_crash_names_the_log(tmp_path: Path) -> None:
    with pytest.raises(DenseError, match=str(tmp_path / "log")):
        ask(tmp_path, error="crash")
    assert "ZeroDivisionError" in (tmp_path / "log").read_text()


def test_a_child_is_ended_when_the_user_wants_an_end(tmp_path: Path) -> None:
    pid, start = tmp_path / "pid", time.monotonic()
    with pytest.raises(child_process.ChildStopped):
        child_process.call(
            MODULE,
            {"sleep": 60, "pid": str(pid)},
            log=tmp_path / "log",
            threads=1,
            seconds=120,
            stopping=pid.exists,
        )
    assert time.monotonic() - start < 30
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_a_hanging_child_is_ended(tmp_path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(DenseError, match="ended after 1 seconds"):
        ask(tmp_path, seconds=1, sleep=60)
    assert time.monotonic() - start < 20


def test_the_child_ends_with_its_caller(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from conf.runtime import child_process; "
        f"child_process.call({MODULE!r}, {{'sleep': 60, 'pid': {str(tmp_path / 'pid')!r}}}, "
        f"log=Path({str(tmp_path / 'log')!r}), threads=1, seconds=60)"
    )
    caller = subprocess.Popen([sys.executable, "-c", code])
    pid = int(_eventually(lambda: (tmp_path / "pid").read_text()))
    caller.kill()
    caller.wait()
    _eventually(lambda: "" if _alive(pid) else "gone")


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _eventually(read: object, seconds: float = 20) -> str:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if text := read():  # type: ignore[operator]
                return text
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} seconds (by process {os.getpid()})")
