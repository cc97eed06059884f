"""MLflow's server on a home's own database: `python -m flows.mlflow_server PORT`.

It serves no artifacts: clients write them where they write them without it, so that the same home
works with the servers up or down.
"""

from __future__ import annotations

import os
import sys

from conf.home import Home
from tasks.track import store


def main(port: str) -> None:
    """Create or migrate the database, then become the server."""
    home = Home.open()
    store.bootstrap(home)
    command = [sys.executable, "-P", "-m", "mlflow", "server", "--host", "127.0.0.1"]
    command += ["--port", port, "--workers", "1", "--no-serve-artifacts"]
    command += ["--backend-store-uri", store.own_uri(home)]
    command += ["--default-artifact-root", home.artifacts.as_uri()]
    os.execv(command[0], command)  # noqa: S606  our own interpreter


if __name__ == "__main__":
    main(sys.argv[1])
