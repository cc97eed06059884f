from __future__ import annotations

from pathlib import Path

from conf.runtime.home import Home
from conf.schema.run import Resources
from tasks.prepare import Prepared, test_path
from tasks.scoring.final_training import final_folder, final_seed, final_spec
from tests.cards import as_card
from tests.unit.champion.helpers import candidate

PREPARED = Prepared(
    "d" * 64,
    Path("/data/d"),
    Path("/data/d/parts/train"),
    Path("/data/d/parts/validation"),
    as_card({"rows": {"train": 60, "validation": 20, "test": 20}}),
)


def test_trains_on_train_and_validation_for_the_winners_best_epoch() -> None:
    spec = final_spec(candidate(epochs=7), PREPARED, Resources(threads=2, trial_seconds=30))
    assert [spec.train, *spec.also] == [str(PREPARED.train), str(PREPARED.validation)]
    assert spec.validation is None
    assert (spec.until, spec.keep, spec.last_epoch) == (7, "last", 7)
    assert (spec.threads, spec.trial_seconds) == (2, 40)


def test_its_specification_does_not_name_the_test_part() -> None:
    text = final_spec(candidate(), PREPARED, Resources()).model_dump_json()
    assert str(PREPARED.train) in text
    assert str(test_path(PREPARED)) not in text


def test_another_length_is_another_folder(home: Home) -> None:
    short, long = (candidate(epochs=n, seed=final_seed(0, n)) for n in (3, 4))
    assert final_folder(home, short) != final_folder(home, long)
    assert final_folder(home, short) == home.trials("digits") / f"champion-aaaaaaaa-{short.seed}"
