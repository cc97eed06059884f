"""A deployed run's log on its standard error, when nobody reads that any more."""

from __future__ import annotations

import subprocess
import sys

ORPHAN = """
import os
read, write = os.pipe()
os.dup2(write, 2)
os.close(write)
from prefect.logging import get_logger
from prefect.logging.configuration import setup_logging
setup_logging()
os.close(read)
get_logger("run").error("nobody reads this")
os._exit(7)
"""


def test_a_run_goes_on_when_nobody_reads_its_log() -> None:
    environment = {
        "PREFECT_LOGGING_HANDLERS_CONSOLE_CLASS": "flows.deployments.log_handler.Console"
    }
    assert subprocess.run([sys.executable, "-c", ORPHAN], env=environment).returncode == 7
