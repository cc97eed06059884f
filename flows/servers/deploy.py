"""`prefect.yaml` deployed, with what it needs, in the Prefect that `PREFECT_API_URL` names.

`python -m flows.servers.deploy POOL`. Doing it again changes nothing but what the file changed.
"""

from __future__ import annotations

import hashlib
import os
import runpy
import subprocess
import sys
from pathlib import Path

from conf.loading.load import study_names
from conf.runtime.atomic_write import write_atomically
from conf.runtime.child_process import PYTHON
from conf.runtime.errors import BadInput, DenseError
from conf.runtime.home import Home
from flows.servers.programs import POOL, clients

SECONDS = 300.0
FILE = Path(__file__).resolve().parents[2] / "prefect.yaml"


def deploy_changes(home: Home, api: str, postgres: str | None) -> bool:
    """Deploy unless all of it is deployed as it is; whether it was done.

    Deploying again would put what a person changed of a deployment back to how the file has it.

    Raises:
        DenseError: it failed.
    """
    if not FILE.is_file():
        raise BadInput(f"there is no {FILE}; install the project from its checkout")
    note = home.prefect / "deployed"
    flows = Path(__file__).resolve().parents[1]
    deployed = (
        "study/flow",
        "servers/bootstrap",
        "deployments/evaluate",
        "deployments/monitor",
    )
    sources = [FILE, *(flows / f"{name}.py" for name in deployed)]
    facts = [*(path.read_text() for path in sources), *study_names(), postgres or ""]
    digest = hashlib.sha256("\0".join(facts).encode()).hexdigest()
    if note.is_file() and note.read_text() == digest:
        return False
    log = home.logs / "deploy.log"
    with log.open("wb") as output:
        done = subprocess.run(
            [*PYTHON, "flows.servers.deploy", POOL],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **clients(home, api)},
            timeout=SECONDS,
            check=False,
        )
    if done.returncode:
        raise DenseError(f"prefect.yaml could not be deployed; the log is {log}")
    write_atomically(note, digest)
    return True


def main(pool: str) -> None:
    """Make what deployments need, then deploy; schedules that a person resumed stay so.

    Raises:
        BadInput: the project is not installed from its checkout, which has the file.
    """
    from prefect.client.orchestration import get_client

    from flows.servers.bootstrap import active_schedules, bootstrap, offer_studies, resume

    if not FILE.is_file():
        raise BadInput(f"there is no {FILE}; install the project from its checkout")
    with get_client(sync_client=True) as client:
        bootstrap(client, pool)
        active = active_schedules(client)
        offer_studies()
        _deploy()
        resume(client, active)


def _deploy() -> None:
    os.chdir(FILE.parent)
    sys.argv = ["prefect", "--no-prompt", "deploy", "--all"]
    try:
        runpy.run_module("prefect", run_name="__main__")
    except SystemExit as end:  # as every command ends
        if end.code:
            raise


if __name__ == "__main__":
    main(sys.argv[1])
