"""`dense clean` says what it frees, and frees it only when it is asked to."""

from __future__ import annotations

import pytest

from conf.runtime.home import Home
from conf.schema.study import Study
from flows.cli.clean import clean, shown_bytes
from tasks.prepare import prepare


def test_a_dry_run_removes_nothing(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    prepared = prepare(Study(name="x"), home)
    clean(days=0.0, dry_run=True)
    told = capsys.readouterr().out
    assert prepared.key in told and "would be freed" in told
    assert prepared.path.is_dir()
    clean(days=0.0, dry_run=False)
    assert capsys.readouterr().out == told.replace(
        "would be freed; without --dry-run it is", "freed"
    )
    assert not prepared.path.exists()
    clean(days=0.0, dry_run=False)
    assert "nothing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (123_400_000, "123 MB"), (2e13, "20.0 TB")],
)
def test_sizes_are_readable(count: float, shown: str) -> None:
    assert shown_bytes(int(count)) == shown
