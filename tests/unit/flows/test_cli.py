from __future__ import annotations

import pytest

from flows import cli


def test_an_unforeseen_error_is_a_sentence_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise RuntimeError("All connection attempts failed\nand more")

    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("dense: RuntimeError: All connection attempts failed;")
    assert "--debug" in said and len(said.splitlines()) == 1


def test_with_debug_the_traceback_begins_where_it_was_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken() -> None:
        raise KeyError("place")

    monkeypatch.setattr(cli, "app", broken)
    monkeypatch.setattr(cli, "_debug", True)
    with pytest.raises(Exception, match="KeyError") as raised:
        cli.main()
    assert isinstance(raised.value.__context__, KeyError)
