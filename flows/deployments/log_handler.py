"""Prefect's log of a deployed run on its standard error, which a worker reads and writes down."""

from __future__ import annotations

import contextlib
import logging

from prefect.logging.handlers import PrefectConsoleHandler


class Console(PrefectConsoleHandler):
    """Goes on when nobody reads any more: a worker was killed, its run is well."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record to standard error, if anything still reads it."""
        with contextlib.suppress(SystemExit):  # rich would end whichever thread says something
            super().emit(record)
