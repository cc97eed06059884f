"""The one folder that holds everything the system writes."""

from __future__ import annotations

import json
import os
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

from conf.runtime.atomic_write import write_atomically
from conf.runtime.errors import BadInput

FORMAT = 1


def default_path() -> Path:
    """`DENSE_HOME`, else `.dense` beside the project's `pyproject.toml`, else in the user's."""
    if given := os.environ.get("DENSE_HOME"):
        return Path(given).expanduser().absolute()
    project = Path(__file__).resolve().parents[2]
    if (project / "pyproject.toml").is_file():
        return project / ".dense"
    return Path.home() / ".dense"


@dataclass(frozen=True)
class Home:
    """Paths inside a home that exists, and its identity."""

    path: Path
    id: str

    @classmethod
    def open(cls, path: Path | None = None) -> Home:
        """Create the home if needed and read its identity.

        Raises:
            BadInput: the folder cannot be written or has another format.
        """
        path = path or default_path()
        marker = path / "home.json"
        try:
            path.mkdir(parents=True, exist_ok=True)
            if not marker.exists():
                write_atomically(
                    marker,
                    json.dumps({"id": uuid.uuid4().hex, "format": FORMAT}),
                    existing="keep",
                )
            with tempfile.TemporaryFile(dir=path):
                pass
            facts = json.loads(marker.read_text())
        except (OSError, ValueError) as error:
            raise BadInput(
                f"the home folder {path} cannot be used ({error}); "
                "set DENSE_HOME to a folder you may write"
            ) from error
        if facts.get("format") != FORMAT:
            raise BadInput(
                f"the home folder {path} has format {facts.get('format')!r}, "
                f"this version reads {FORMAT}; set DENSE_HOME to another folder"
            )
        return cls(path, facts["id"])

    def study(self, name: str) -> Path:
        """Folder of a study: `study.json`, `lock`, `journal.jsonl`."""
        return self.path / "studies" / name

    def trials(self, study: str) -> Path:
        """Folder of a study's trials."""
        return self.path / "trials" / study

    def trial(self, study: str, number: int, digest: str) -> Path:
        """Folder of one trial."""
        return self.trials(study) / f"{number}-{digest[:8]}"

    @property
    def data(self) -> Path:
        """Prepared data, a folder a data key."""
        return self.path / "data"

    @property
    def assets(self) -> Path:
        """Data and weights fetched as packages, checked and unpacked."""
        return self.path / "assets"

    @property
    def features(self) -> Path:
        """What models made of prepared data, a folder a data key."""
        return self.path / "features"

    @property
    def slots(self) -> Path:
        """Slot locks, a folder a host."""
        return self.path / "slots"

    @property
    def logs(self) -> Path:
        """Logs of servers."""
        return self.path / "logs"

    @property
    def artifacts(self) -> Path:
        """MLflow artifacts of the home's own database."""
        return self.path / "artifacts"

    @property
    def prefect(self) -> Path:
        """Prefect's home for the server that the command starts."""
        return self.path / "prefect"

    @property
    def mlflow_database(self) -> Path:
        """MLflow's own database."""
        return self.path / "mlflow.db"

    def report(self, study: str) -> Path:
        """The study's HTML report."""
        return self.path / "reports" / f"{study}.html"
