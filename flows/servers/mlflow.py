"""MLflow's server of a home: `python -m flows.servers.mlflow PORT [POSTGRES]`.

On the home's own database it serves no artifacts: clients write them where they write them without
it, so that the same home works with the servers up or down. On PostgreSQL it is the only way to the
record and serves the artifacts, too, so that clients of other machines need nothing else.
"""

from __future__ import annotations

import os
import sys

from conf.runtime.child_process import PYTHON
from conf.runtime.home import Home
from flows.servers.postgres import for_mlflow
from tasks.track import store


def main(port: str, postgres: str | None = None) -> None:
    """Create or migrate the home's database, or take PostgreSQL; then become the server."""
    home = Home.open()
    if postgres is None:
        store.bootstrap(home)
        kept = ["--no-serve-artifacts", "--default-artifact-root", home.artifacts.as_uri()]
        uri = store.own_uri(home)
    else:
        kept = ["--serve-artifacts", "--artifacts-destination", home.artifacts.as_uri()]
        uri = for_mlflow(postgres)
    command = [*PYTHON, "mlflow", "server", "--host", "127.0.0.1"]
    command += ["--port", port, "--workers", "1", "--backend-store-uri", uri, *kept]
    os.execv(command[0], command)  # noqa: S606  our own interpreter


if __name__ == "__main__":
    main(*sys.argv[1:])
