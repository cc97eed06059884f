"""A real PostgreSQL of a test's own, from the programs that this machine has."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.servers.prefect import free_port

# All that has a meaning in an address or in a password file.
PASSWORD = "p:a@s\\s%20"
QUOTED = "p%3Aa%40s%5Cs%2520"


def missing() -> str:
    """Why there can be none here; empty when there can."""
    if _programs() is None:
        return "PostgreSQL is not installed (apt-get install postgresql)"
    if os.geteuid() == 0 and _account() is None:
        return "PostgreSQL refuses to run as root, and there is no account `postgres`"
    return ""


class Server:
    """A PostgreSQL that can go away and come back."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._user = _account() if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        if self._user:
            shutil.chown(self.folder, self._user)
        password = self.folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        self._port = free_port()
        made = ["-U", "dense", "-A", "scram-sha-256", "--pwfile", str(password), "-N"]
        self._run("initdb", *made)
        self.start()

    @property
    def url(self) -> str:
        """The address of a database in it, with its password."""
        return f"postgresql://dense:{QUOTED}@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c fsync=off -k {self.folder}"
        self._run("pg_ctl", "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """End it as a machine's end would: whoever is connected hears nothing first."""
        self._run("pg_ctl", "-m", "immediate", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        data = str(self.folder / "data")
        command = [str(self._programs / program), "-D", data, *arguments]
        subprocess.run(
            command,
            user=self._user,
            cwd=self.folder,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
        )


@contextmanager
def server() -> Iterator[Server]:
    """A new server, gone with the block."""
    programs = _programs()
    assert programs is not None
    made = Server(programs)
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(made.folder)


def _programs() -> Path | None:
    """The folder of the newest server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    there = shutil.which("initdb")
    return Path(there).resolve().parent if there else None


def _account() -> str | None:
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return None
