"""Prefect's server as uvicorn starts it: with this project's switches, set before its imports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import conf  # noqa: F401  sets them

if TYPE_CHECKING:
    from fastapi import FastAPI


def create_app() -> FastAPI:
    """The application with all that Prefect's settings ask for."""
    from prefect.server.api.server import create_app as prefect_app

    return prefect_app()
