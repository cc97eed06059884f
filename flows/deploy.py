"""`prefect.yaml` deployed, with what it needs, in the Prefect that `PREFECT_API_URL` names.

`python -m flows.deploy POOL`. Doing it again changes nothing but what the file changed.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

from conf.errors import BadInput

FILE = Path(__file__).resolve().parent.parent / "prefect.yaml"


def main(pool: str) -> None:
    """Make what deployments need, then deploy.

    Raises:
        BadInput: the project is not installed from its checkout, which has the file.
    """
    from prefect.client.orchestration import get_client

    from flows.bootstrap import bootstrap

    if not FILE.is_file():
        raise BadInput(f"there is no {FILE}; install the project from its checkout")
    with get_client(sync_client=True) as client:
        bootstrap(client, pool)
    os.chdir(FILE.parent)
    sys.argv = ["prefect", "--no-prompt", "deploy", "--all"]
    runpy.run_module("prefect", run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1])
