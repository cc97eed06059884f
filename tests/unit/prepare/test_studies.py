"""Every shipped study loads, validates, prepares, and gives an epoch of batches."""

from __future__ import annotations

from pathlib import Path

import pytest

import conf
from conf.loading.load import load_study
from conf.runtime.home import Home
from conf.schema.data import PackageData
from data.loading.datamodule import StudyData
from tasks.prepare import prepare

FOLDER = Path(conf.__file__).parent / "studies"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
OFFLINE = [n for n in NAMES if not isinstance(load_study(n).data, PackageData)]


@pytest.mark.parametrize("name", NAMES)
def test_a_study_loads_under_the_command_in_its_first_line(name: str):
    command = (FOLDER / f"{name}.yaml").read_text().splitlines()[0]
    assert command.startswith(f"# dense run {name}")
    assert load_study(name, command.split()[4:]).name == name


@pytest.mark.parametrize("name", OFFLINE)
def test_a_study_prepares_and_gives_an_epoch(name: str, home: Home):
    study = load_study(name)
    prepared = prepare(study, home)
    data = StudyData(study.trial_config, prepared.card, prepared.train, prepared.validation, 0)
    assert sum(len(batch["id"]) for batch in data.train_dataloader()) == data.train_rows
    assert sum(len(batch["id"]) for batch in data.val_dataloader()) > 0
