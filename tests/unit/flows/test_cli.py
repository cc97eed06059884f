from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest

from flows.cli import main


def test_an_unforeseen_error_is_a_sentence_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise RuntimeError("All connection attempts failed\nand more")

    monkeypatch.setattr(main, "app", broken)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("dense: RuntimeError: All connection attempts failed;")
    assert "--debug" in said and len(said.splitlines()) == 1


def test_with_debug_the_traceback_begins_where_it_was_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken() -> None:
        raise KeyError("place")

    monkeypatch.setattr(main, "app", broken)
    monkeypatch.setattr(main, "_debug", True)
    with pytest.raises(Exception, match="KeyError") as raised:
        main.main()
    assert isinstance(raised.value.__context__, KeyError)


LONG = "/tmp/" + "a" * 5_000


@pytest.mark.parametrize(
    "command",
    [("run", LONG), ("check", LONG), ("new", "mine", "--data", LONG), ("import", LONG)],
    ids=lambda command: command[0],
)
def test_a_path_that_no_file_can_have_is_said_shortly(
    command: Sequence[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["dense", *command])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("dense: '/tmp/aaaa") and len(said) < 200
    assert "5,005 letters" in said and "give the path, not what the file holds" in said
