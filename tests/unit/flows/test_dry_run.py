"""`dense check --try` of a trial that fails."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from conf.schema.study import Study
from flows.study import dry_run
from tasks.train.engine.failures import failure
from tasks.train.engine.recover import of_result


class Failing:
    """An engine whose every trial raises."""

    error: Exception

    def __init__(self, home: Home, *, slots: int) -> None: ...

    def __enter__(self) -> Failing:
        return self

    def __exit__(self, *_: object) -> None: ...

    def run(self, spec: Any, folder: Path) -> Any:
        (folder / "log.txt").write_text("Traceback: its last words")
        return of_result(failure(self.error, spec, SimpleNamespace(finished_epochs=lambda: 0)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (BadInput("model.lr: too high; lower it"), "^model.lr: too high; lower it$"),
        (
            RuntimeError("shapes"),
            r"of trial 0 failed \(RuntimeError: shapes\); .*: Traceback: its last words$",
        ),
    ],
    ids=["refused", "raised"],
)
def test_what_a_trial_refuses_is_said_alone(
    error: Exception, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = SimpleNamespace(card={}, train="", validation="", card_path="")
    for name, found in (("prepare", prepared), ("make_ready", None), ("check_cases", None)):
        monkeypatch.setattr(dry_run, name, lambda *_, found=found: found)
    monkeypatch.setattr(dry_run, "LocalEngine", Failing)
    monkeypatch.setattr(Failing, "error", error, raising=False)
    with pytest.raises(BadInput, match=said):
        dry_run.dry_run(Study(name="made"), Home.open(tmp_path))
