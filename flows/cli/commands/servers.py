"""Commands for the servers of a home: up, down, ps."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer()

Port = Annotated[int, typer.Option(min=1, max=65_535)]


@app.command()
def up(
    prefect_port: Port = 4200,
    mlflow_port: Port = 5000,
    detach: Annotated[bool, typer.Option("--detach", help="Run in the background.")] = False,
    postgres: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Store the records of both servers in this database from now on."
        ),
    ] = None,
) -> None:
    """Run the Prefect and MLflow servers and a worker for the deployments."""
    from flows.servers.programs import Ports
    from flows.servers.up import up

    up(Ports(prefect_port, mlflow_port), detach=detach, postgres=postgres)


@app.command()
def down() -> None:
    """Stop the servers that `dense up` started."""
    from flows.servers.up import down

    down()


@app.command()
def ps() -> None:
    """List the running servers, their addresses and their health."""
    from flows.servers.up import ps

    ps()
