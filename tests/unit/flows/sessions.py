"""Sessions built from their parts, without Prefect or MLflow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from conf.runtime.home import Home
from conf.schema.run import Resources
from conf.schema.study import Study
from flows.study.display import PlainDisplay
from flows.study.launch import StopSignal
from flows.study.session import StudySession
from tasks.prepare import Prepared
from tasks.study.writer import OpenStudy
from tasks.train.engine.engine import Engine
from tasks.train.engine.outcome import Outcome
from tasks.train.spec import Result, TrialSpec
from tests.unit.study.examples import ME

GIB = 2**30


class FakeEngine:
    """An engine whose trials complete at once and hold one GiB of a 16 GiB GPU."""

    slots = 1

    def __init__(self, *, on_gpu: bool = False) -> None:
        self.on_gpu = on_gpu
        self.specs: list[TrialSpec] = []
        self.used: list[Resources] = []

    def run(self, spec: TrialSpec, folder: Path) -> Outcome:
        self.specs.append(spec)
        result = Result(outcome="complete", attempt=1, until=1, gpu_held=GIB, gpu_total=16 * GIB)
        result.write(folder)
        return Outcome("complete")

    def use(self, resources: Resources) -> None:
        self.used.append(resources)


@contextmanager
def session_of(
    home: Home,
    study: Study,
    engine: FakeEngine | None = None,
    *,
    stopping: bool = False,
    data: Prepared | None = None,
) -> Iterator[StudySession]:
    """A session of a study, which prints plain lines."""
    display = PlainDisplay()
    stop = StopSignal(display.print_line, is_set=stopping)
    with OpenStudy.open(home, study, ME, 0.0) as opened:
        fake = cast(Engine, engine or FakeEngine())
        yield StudySession(home, opened, fake, display, stop, flow_run="a-run", data=data)
