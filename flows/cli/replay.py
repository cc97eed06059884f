"""`dense replay`: train a trial or a champion again, and say whether every bit is the same."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from conf.runtime.errors import BadInput
from conf.runtime.home import Home
from tasks.report import format
from tasks.study.reader import StudyRecord, studies

if TYPE_CHECKING:
    from tasks.compare.replay import Replayed

RUN_ID = re.compile(r"[0-9a-f]{32}")
SHOWN = 5


def replay(name: str, number: int | None) -> int:
    """Repeat a trial, or the champion without a number; 0 where every bit is the same, else 1.

    Args:
        name: of a study, or the id of an MLflow run of a trial or champion.
        number: of the trial.

    Raises:
        BadInput: there is no such training, or its data can no longer be prepared.
    """
    from tasks.compare import replay as replaying
    from tasks.prepare.store.pin import pinned
    from tasks.train.engine.local import LocalEngine

    home, digest = Home.open(), None
    if name not in studies(home) and RUN_ID.fullmatch(name):
        name, number, digest = of_run(home, name)
    record = StudyRecord.read(home, name)
    prepared = pinned(record.study, home)
    if number is None:
        original = replaying.champion_original(record, prepared, digest)
    else:
        original = replaying.trial_original(record, prepared, number)
    epochs = format.count(original.result.until, "epoch")
    print(f"training {original.words} again, up to {epochs}", flush=True)
    with tempfile.TemporaryDirectory(prefix="replay-", dir=home.path) as scratch:
        with LocalEngine(home, slots=0) as engine:
            done = replaying.replay(original, engine.run, Path(scratch))
        print("\n".join(report(done)))
    return 0 if done.equal else 1


def of_run(home: Home, run_id: str) -> tuple[str, int | None, str]:
    """Study, trial and configuration that a run in MLflow is of; no number for a champion.

    Raises:
        BadInput: there is no such run, or it is of neither.
    """
    from mlflow.exceptions import MlflowException

    from tasks.track.store import mlflow_session, short

    with mlflow_session(home) as client:
        try:
            tags = client.get_run(run_id).data.tags
        except MlflowException as error:
            raise BadInput(f"MLflow has no run {run_id} ({short(error)})") from error
    kind, study = tags.get("dense.kind"), tags.get("dense.study", "")
    if kind not in ("trial", "champion") or not study:
        raise BadInput(
            f"the run {run_id} is of no trial and no champion; name one by its study: "
            "dense replay STUDY N"
        )
    number = int(tags["dense.trial"]) if kind == "trial" else None
    return study, number, tags["dense.digest"]


def report(done: Replayed) -> list[str]:
    """What came out, a line a fact."""
    lines = [_verdict(done)]
    for each in done.differing[:SHOWN]:
        lines.append(f"  epoch {each.epoch} {each.metric}: was {each.was!r}, is {each.now!r}")
    if len(done.differing) > SHOWN:
        lines.append(f"  and {len(done.differing) - SHOWN} more values")
    if done.weights is not None:
        lines.append(f"weights      {'the same' if done.weights else 'different'}")
    if done.predictions is not None:
        same = "every one the same" if done.predictions else "different"
        lines.append(f"predictions  {same}")
    lines += [f"environment  {name}: was {was}, is {now}" for name, was, now in done.environment]
    if not done.equal and not done.environment:
        session = done.original.session
        known = session is not None and session.environment
        lines.append(
            "environment  nothing that was written differs"
            if known
            else "environment  of the first training was not written"
        )
    return lines


def _verdict(done: Replayed) -> str:
    was, now = done.original.result.outcome, done.outcome
    if was != now.outcome:
        return f"not repeated: it ended {was} then, and {now.outcome} now ({now.message})"
    epochs = format.count(len(done.original.lines), "epoch")
    if done.equal and not done.values:
        return "repeated: what was learnt is equal to the last bit"
    if not done.values and not done.differing and done.weights is None:
        return "not compared: nothing that was learnt then is kept"
    if done.equal:
        return f"repeated: all {done.values:,} values of {epochs} are equal to the last bit"
    return (
        f"not repeated: {len(done.differing):,} of {done.values:,} values of {epochs} differ, "
        f"by {done.largest:.3g} at most"
    )
