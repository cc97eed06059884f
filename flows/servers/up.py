"""`dense up`, `dense down`, `dense ps`: the servers of a home, kept by one process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType

from rich.console import Console
from rich.table import Table

from conf.runtime.child_process import PYTHON
from conf.runtime.errors import BadInput, DenseError, Held
from conf.runtime.home import Home
from flows.servers import postgres as database
from flows.servers import state as servers
from flows.servers.child import answers, log_tail, wait_until
from flows.servers.programs import Ports, is_online, recording
from flows.servers.state import Servers, Service

OUT = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 160)
TEND_SECONDS = 2.0
START_LIMIT = 600.0  # of everything, on a busy machine
END_LIMIT = 120.0


def up(ports: Ports, *, detach: bool, postgres: str | None = None) -> None:
    """Keep the servers up until Ctrl-C or `dense down`; with `detach` in the background.

    Where they are up already, say where. `postgres`: address of the database that both keep their
    records in; without one that which the home has used before, else the home's own files.

    Raises:
        BadInput: a port is taken, `servers.json` cannot be read, or PostgreSQL does not answer.
        DenseError: a server does not start, or does not stay.
    """
    home = Home.open()
    if servers.holder(home) is not None:
        _already(home)
        return
    url = database.keep_password(home, postgres) if postgres else servers.store(home)
    if url:
        database.prepare(home, url)
    if detach:
        _background(home, ports, url)
        return
    try:
        _keep(home, ports, url)
    except Held:  # another one began at the same moment
        _already(home)


def down() -> None:
    """End the servers, and wait until they are gone.

    Raises:
        BadInput: they are kept by another machine.
        DenseError: they do not end.
    """
    home = Home.open()
    holder = servers.holder(home)
    if holder is None:
        servers.remove(home)  # of somebody who was killed
        print("nothing is up")
        return
    if holder.host != socket.gethostname():
        raise BadInput(f"the servers are kept on {holder.host}; end them there: dense down")
    with suppress(ProcessLookupError):  # it ends by itself just now
        os.kill(holder.pid, signal.SIGTERM)
    if not wait_until(lambda: not _lives(holder.pid), END_LIMIT):
        raise DenseError(f"process {holder.pid} does not end; see the logs in {home.logs}")
    print("down")


def _lives(pid: int) -> bool:
    """Whether the process that was asked to end is there still; as a zombie it is not."""
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def ps() -> None:
    """Print what is up, and whether it answers."""
    home = Home.open()
    holder, found = servers.holder(home), servers.running(home)
    if holder is None:
        print("nothing is up; `dense up` starts the servers")
        return
    if found is None:
        print(f"starting: {holder}")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("", "state", "process", "page", "log"):
        table.add_column(name)
    for service in found.services:
        state = "well" if is_healthy(home, found, service) else "[red]does not answer[/red]"
        cells = (service.name, state, str(service.pid), service.page or "", service.log)
        table.add_row(*cells)
    OUT.print(table)
    if found.postgres:
        OUT.print(f"[dim]records in {found.postgres}[/dim]")
    OUT.print(f"[dim]kept by {holder}[/dim]")


def is_healthy(home: Home, found: Servers, service: Service) -> bool:
    """Whether a service does its work now."""
    if service.health:
        return answers(service.health)
    return found.prefect is not None and is_online(
        found.prefect, f"{socket.gethostname()}-{home.id[:8]}"
    )


def _already(home: Home) -> None:
    if not wait_until(lambda: servers.running(home) is not None, START_LIMIT):
        raise DenseError(f"another process starts the servers and does not end; see {home.logs}")
    print("up already")
    _show(home)


def _keep(home: Home, ports: Ports, postgres: str | None) -> None:
    """Be the process that keeps the servers up."""
    from flows.servers.supervisor import Site
    from tasks.train.trial.server import adopt_orphans

    with servers.take(home, time.time()), ExitStack() as stack:
        # Before there is a worker: what it runs is to find the record where it is.
        servers.write(home, recording(ports, postgres))
        stack.callback(servers.remove, home)
        adopt_orphans()  # the runs of a worker that dies go on, and are ended with the rest
        stack.callback(_ignore_signals)  # what is being ended is not hurried: the guards see to it
        with interruptible():
            site = Site.start(home, ports, stack, _say, postgres)
            servers.write(home, site.described())
            _show(home)
            _say("Ctrl-C, or `dense down`, ends them")
            said = site.described()
            while True:
                time.sleep(TEND_SECONDS)
                site.tend(_say)
                if (now := site.described()) != said:
                    with suppress(OSError):  # of a full disk: said again in a moment
                        servers.write(home, now)
                        said = now


@contextmanager
def interruptible() -> Iterator[None]:
    """Leave the block at Ctrl-C or SIGTERM, without an error."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)
    try:
        yield
    except KeyboardInterrupt:
        _say("ending the servers")


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _background(home: Home, ports: Ports, postgres: str | None) -> None:
    """Start a process that keeps the servers up, and wait until they are."""
    log = home.logs / "up.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [*PYTHON, "flows.cli.main", "up", "--prefect-port", str(ports.prefect)]
    command += ["--mlflow-port", str(ports.mlflow), *(["--postgres", postgres] if postgres else [])]
    with log.open("ab") as output:
        keeper = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "DENSE_HOME": str(home.path)},
            start_new_session=True,
        )
    wait_until(lambda: keeper.poll() is not None or servers.running(home) is not None, START_LIMIT)
    if servers.running(home) is None:
        said = log_tail(log, 1).removeprefix("dense: ") or "nothing"
        raise DenseError(f"the servers are not up; {log} ends with: {said}")
    _show(home)
    print("`dense down` ends them")


def _show(home: Home) -> None:
    found = servers.running(home)
    assert found is not None  # written before
    for service in found.services:
        if service.page:
            _say(f"{service.name:<8} {service.page}")
    _say(f"run it   PREFECT_API_URL={found.prefect} prefect deployment run study/digits")


def _say(line: str) -> None:
    with suppress(OSError):  # a full disk, or a reader that is gone, ends no server
        print(line, flush=True)
