"""The record made again from files: MLflow's database may be gone, late or another one."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass

from conf.runtime.errors import DenseError
from conf.runtime.home import Home
from tasks.study.lock import Holder, lock_study
from tasks.study.reader import StudyRecord
from tasks.track import project, sessions, store
from tasks.track.ledger import Ledger


@dataclass(frozen=True)
class Synced:
    """What was written, and where."""

    uri: str
    experiment_id: str
    parent_run_id: str
    trials: int
    """Trials that have a run."""


def sync(home: Home, name: str) -> Synced:
    """Write a study's whole record to MLflow; what is there already stays as it is.

    Raises:
        Held: the study is running; its driver writes the record.
        BadInput: there is no such study, or MLflow cannot take its record.
        DenseError: MLflow went away meanwhile; the same call goes on from there.
    """
    record = StudyRecord.read(home, name)
    holder = Holder(os.getpid(), socket.gethostname(), time.time())
    with lock_study(record.folder / "lock", holder):
        record = StudyRecord.read(home, name)
        known = sessions.read(record.folder)
        data_key = known[0].data_key if known else ""
        facts = project.Facts(record.study, home.id, data_key, known)
        ledger = Ledger.open(home, facts, record.state, live=False)
        try:
            return _write(home, record, ledger)
        except DenseError:
            raise
        except Exception as error:  # whatever the store raises
            raise DenseError(
                f"MLflow at {store.shown(ledger.uri)} went away ({store.short(error)}); "
                f"run `dense sync {name}` again when it answers"
            ) from error


def _write(home: Home, record: StudyRecord, ledger: Ledger) -> Synced:
    begun = [trial for trial in record.state.trials if trial.attempt]
    for trial in begun:
        ledger.write(trial, live=False, again=True)
    page = home.report(record.study.name)
    if page.exists():
        ledger.artifact(page)
    ledger.write_study(record.state, live=False)
    return Synced(ledger.uri, ledger.experiment_id, ledger.parent_run_id, len(begun))
