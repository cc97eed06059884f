"""What a champion is worth on files, as a flow: `dense evaluate` on a Prefect server.

prefect deployment run evaluate/evaluate -p study=digits -p files='["june.csv"]'
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed
from pydantic import Field

from conf.runtime.allowed_paths import confined
from conf.runtime.home import Home
from tasks.registry.aliases import parse_model
from tasks.report import format as words
from tasks.scoring.score_files import score_files, score_table
from tasks.track.store import mlflow_session

NAME = 200
"""Letters of a run's name."""
CHAMPION_OF = Field(max_length=200)
FILES = Field(min_length=1, max_length=1_000)
PATH = Field(max_length=4_000)


def run_name() -> str:
    """The name of the flow run that is starting: whose champion it looks at, and on what."""
    study, files = flow_run.parameters["study"], flow_run.parameters["files"]
    return f"{study} on {files[0] if len(files) == 1 else f'{len(files)} files'}"[:NAME]


@flow(name="evaluate", flow_run_name=run_name, persist_result=False)
def evaluate(
    study: Annotated[str, CHAMPION_OF], files: Annotated[list[Annotated[str, PATH]], FILES]
) -> State:
    """Score a registered model on files that it has never been near.

    Args:
        study: Whose champion: a study that ran, whatever its run was named, or a registered model;
            digits@3 is a version of it, digits@small one by its alias.
        files: Tables with targets, or folders of images with a sub-folder a class, a line each; in
            the folders that DENSE_DATA names.
    """
    home = Home.open()
    model, which = parse_model(home, study)
    places = [inside(each, home) for each in files]
    with mlflow_session(home, "start the run again when it answers") as client:
        found = score_files(client, model, places, which)
    rows = [
        {
            "file": one.place,
            "rows": one.rows,
            **{
                name: f"{words.number(each.value)} ({words.interval(each.low, each.high)})"
                for name, each in one.metrics.items()
            },
        }
        for one in found
    ]
    create_table_artifact(rows, key=artifact_key(study), description=f"{study}, 95 % intervals")
    return Completed(message="\n".join(score_table(found)))


def artifact_key(study: str) -> str:
    """What the table is called: Prefect takes fewer letters than MLflow's registry does."""
    return f"{re.sub('[^a-z0-9]+', '-', study.lower()).strip('-')}-evaluation"


def inside(given: str, home: Home) -> Path:
    """A file, or a folder of images, in the folders that studies may read.

    Raises:
        BadInput: it lies elsewhere, or is not there.
    """
    return confined(given, home, folder=not Path(given).suffix, key="files")
