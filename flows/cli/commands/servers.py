"""The servers of a home."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer()

Port = Annotated[int, typer.Option(min=1, max=65_535)]


@app.command()
def up(
    prefect_port: Port = 4200,
    mlflow_port: Port = 5000,
    detach: Annotated[bool, typer.Option("--detach", help="In the background.")] = False,
    postgres: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Keep both servers' records in PostgreSQL, from now on."),
    ] = None,
) -> None:
    """Keep Prefect's and MLflow's servers and a worker with the deployments up."""
    from flows.servers.programs import Ports
    from flows.servers.up import up

    up(Ports(prefect_port, mlflow_port), detach=detach, postgres=postgres)


@app.command()
def down() -> None:
    """End what `dense up` keeps up."""
    from flows.servers.up import down

    down()


@app.command()
def ps() -> None:
    """Say what is up, where, and whether it answers."""
    from flows.servers.up import ps

    ps()
