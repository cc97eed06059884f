"""The record can be made again from journal and folders."""

from __future__ import annotations

import pytest

from conf.runtime.errors import BadInput, Held
from conf.runtime.home import Home
from tasks.study.events import Stopped
from tasks.track import store
from tasks.track.sync import sync
from tests.integration.track.conftest import Recorded


def a_varied_study(recorded: Recorded) -> None:
    recorded.track()
    recorded.ask(8, 16, 32)
    recorded.complete(0, 0.5, 0.9, 0.8, 0.7)
    recorded.attempt(1)
    recorded.finish(1, "failed", "nan")
    recorded.attempt(2)
    recorded.epochs(2, 0.3)
    recorded.interrupt(2)
    recorded.append(Stopped(reason="user", time=recorded.tick()))
    page = recorded.home.report("letters")
    page.parent.mkdir()
    page.write_text("<html>")
    recorded.trackers[0].artifact(page)
    assert recorded.close()
    recorded.opened.close()


def test_a_deleted_database_is_written_again_as_it_was(
    recorded: Recorded, with_mlflow: object
) -> None:
    a_varied_study(recorded)
    before = recorded.record()
    for path in recorded.home.path.glob("mlflow.db*"):
        path.unlink()
    store._READY.clear()
    forget_engines()
    done = sync(recorded.home, "letters")
    assert done.trials == 3
    assert recorded.record() == before


def test_syncing_a_whole_record_changes_nothing(recorded: Recorded) -> None:
    a_varied_study(recorded)
    before = recorded.record()
    sync(recorded.home, "letters")
    assert recorded.record() == before


def test_a_running_study_is_left_to_its_driver(recorded: Recorded) -> None:
    with pytest.raises(Held, match="letters"):
        sync(recorded.home, "letters")


def test_an_unknown_study_is_bad_input(home: Home) -> None:
    with pytest.raises(BadInput, match="no study 'nothing'"):
        sync(home, "nothing")


def forget_engines() -> None:
    """Make MLflow open the database file anew, as another process would."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from mlflow.tracking._tracking_service.utils import _tracking_store_registry

    for engine in SqlAlchemyStore._engine_map.values():
        engine.dispose()
    SqlAlchemyStore._engine_map.clear()
    _tracking_store_registry._get_store_with_resolved_uri.cache_clear()
