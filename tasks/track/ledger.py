"""One study's record in MLflow, written run by run by whoever holds the study.

Every call can be made again after any failure: runs are found before they are created, and what is
logged twice is equal in key, value, time and step, which MLflow keeps once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from conf.runtime.atomic_write import write_atomically
from conf.runtime.errors import DenseError
from conf.runtime.home import Home
from tasks.evaluate.evaluation import Evaluation
from tasks.study.state import State
from tasks.study.trial import Trial
from tasks.track import experiment, project, store, view
from tasks.track.project import PARENT, Facts, Files, Point
from tasks.train.folder import TrialFolder
from tasks.train.spec import Result, TrialSpec

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Run, RunTag

POINTS = 900  # metrics of one batch; MLflow takes 1,000 entities, parameters and tags included


@dataclass
class Written:
    """What MLflow is known to hold of a run."""

    run_id: str
    status: str
    tags: dict[str, str]
    artifacts: str
    """Address of its artifacts."""
    whole: bool = False
    """Parameters, data set and configuration are there."""
    points: set[Point] = field(default_factory=set)


class Ledger:
    """Not thread-safe: one thread writes. Methods raise MlflowException while MLflow is away."""

    def __init__(self, home: Home, facts: Facts, uri: str, experiment_id: str, parent: str) -> None:
        self.home = home
        self.facts = facts
        self.uri = uri
        self.experiment_id = experiment_id
        self.parent_run_id = parent
        self._client = store.client(uri)
        self._children: dict[int, Written] | None = None

    @classmethod
    def open(cls, home: Home, facts: Facts, state: State, *, live: bool) -> Ledger:
        """Find or create the study's experiment and parent run.

        Raises:
            BadInput: MLflow does not answer or cannot take this study's record.
        """
        uri = store.bootstrap(home)
        client = store.client(uri)
        tags = project.study_tags(facts, state, live=live)
        start, _ = project.study_times(facts, state)
        with store.answering(home, uri):
            where = experiment.experiment_id(client, home, uri, facts.study.name)
            parent = experiment.parent_run(client, home, where, tags, start)
        return cls(home, facts, uri, where, parent)

    def read_children(self) -> None:
        """Read all trials' runs once; of two of one trial the older stays."""
        children: dict[int, Written] = {}
        for run in experiment.runs_of_kind(self._client, self.experiment_id, "trial"):
            number = _number(run)
            if number is None:
                continue
            if number in children:
                experiment.drop(self._client, [run])
            else:
                children[number] = _as_read(run)
        self._children = children

    def forget(self) -> None:
        """Read the trials' runs anew before the next write: somebody deleted one."""
        self._children = None

    def write(self, trial: Trial, *, live: bool, again: bool = False) -> None:
        """Make MLflow say of a trial what journal and folder say.

        A run that has its last status is left alone unless `again` is given.

        Raises:
            DenseError: the trial's curve cannot be read.
        """
        status = project.trial_status(trial, live=live)
        if status is None:
            return
        if self._children is None:
            self.read_children()
        assert self._children is not None
        tags = project.trial_tags(self.facts, trial, live=live) | {PARENT: self.parent_run_id}
        written = self._children.get(trial.number)
        if written is None:
            written = self._children[trial.number] = self._create(trial, tags)
        elif _said(written, status, tags) and not again:
            return
        self._log(written, trial, status, tags)

    def write_study(self, state: State, *, live: bool) -> None:
        """Make the parent run say what the study has come to; its terminal status comes last."""
        report = self.home.report(self.facts.study.name)
        link = self.report_path(report.name) if report.exists() else ""
        trials = self._show_trials()
        tags = project.study_tags(self.facts, state, live=live, report=link, trials=trials)
        status = project.study_status(state, live=live)
        _, end = project.study_times(self.facts, state)
        points = project.study_points(self.facts, state) if status != "RUNNING" else []
        for batch in _batches(points, {}, tags):
            self._client.log_batch(self.parent_run_id, **batch)
        if status == "RUNNING":
            self._client.update_run(self.parent_run_id, status=status)
        else:
            text = project.as_yaml(self.facts.study.model_dump(mode="json"))
            self._client.log_text(self.parent_run_id, text, "config.yaml")
            self._client.log_inputs(self.parent_run_id, datasets=[self._dataset()])
            self._client.set_terminated(self.parent_run_id, status, end_time=end)
        note = project.description(self.facts, state, link, trials)
        self._client.set_experiment_tag(self.experiment_id, project.NOTE, note)

    def _show_trials(self) -> str:
        """Make the view of all trials; where it is, empty where MLflow would not take it."""
        value = view.view(self.facts.study)
        if value is None:
            return ""
        self._client.set_experiment_tag(self.experiment_id, view.TAG, value)
        return view.path(self.experiment_id)

    def artifact(self, path: Path, folder: str | None = None) -> None:
        """Copy a file to the parent run's artifacts."""
        self._client.log_artifact(self.parent_run_id, str(path), folder)

    def report_path(self, name: str) -> str:
        """Where MLflow's pages show a file of the parent run, below the server's address."""
        return view.file_path(self.experiment_id, self.parent_run_id, name)

    def files(self, trial: Trial) -> TrialFolder:
        """Where a trial's files lie."""
        return TrialFolder(self.home.trial(self.facts.study.name, trial.number, trial.digest))

    def _create(self, trial: Trial, tags: Mapping[str, str]) -> Written:
        start = project.milliseconds(trial.started or trial.asked)
        run = self._client.create_run(self.experiment_id, start_time=start, tags=dict(tags))
        return _as_read(run)

    def _log(self, written: Written, trial: Trial, status: str, tags: Mapping[str, str]) -> None:
        if status == "RUNNING" != written.status:
            self._client.update_run(written.run_id, status=status)
            written.status = status
        files = read_files(self.files(trial))
        tags = {**tags, **project.signature_tags(files)}
        new_tags = {key: value for key, value in tags.items() if written.tags.get(key) != value}
        points = project.trial_points(trial, files)
        fresh = [point for point in points if point not in written.points]
        params = {} if written.whole else project.trial_params(trial)
        for batch in _batches(fresh, params, new_tags):
            self._client.log_batch(written.run_id, **batch)
        written.points.update(fresh)
        written.tags.update(new_tags)
        if not written.whole:
            self._client.log_inputs(written.run_id, datasets=[self._dataset()])
            self._put_text(written, project.config_yaml(self.facts, trial), "config.yaml")
            written.whole = True
        if status != "RUNNING":
            end = project.milliseconds(trial.ended or trial.started or trial.asked)
            self._client.set_terminated(written.run_id, status, end_time=end)
            written.status = status
        if status in project.TERMINAL:
            written.points.clear()

    def _put_text(self, written: Written, text: str, name: str) -> None:
        if written.artifacts.startswith("file:"):
            # What MLflow's client does for a local folder too, without asking where it is.
            write_atomically(Path(unquote(urlsplit(written.artifacts).path)) / name, text)
        else:
            self._client.log_text(written.run_id, text, name)

    def _dataset(self) -> DatasetInput:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        study, key = self.facts.study, self.facts.data_key
        source = json.dumps({"uri": str(self.home.data / key)})
        name = getattr(study.data, "name", study.data.source)
        dataset = Dataset(name, key[:36], "local", source)
        return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


def read_files(folder: TrialFolder) -> Files:
    """What a trial's folder holds; what is not there yet is left out."""
    try:
        devices = TrialSpec.read(folder.path).devices
    except DenseError:
        devices = 1  # the folder is gone; the journal still says what the trial was worth
    return Files(
        tuple(folder.read_metrics()),
        Result.read(folder.path),
        Evaluation.read(folder.evaluation),
        devices,
    )


def _said(written: Written, status: str, tags: Mapping[str, str]) -> bool:
    """Whether MLflow has a trial's last word already."""
    same = all(written.tags.get(key) == value for key, value in tags.items())
    return same and written.status == status and status in project.TERMINAL


def _as_read(run: Run) -> Written:
    info = run.info
    return Written(info.run_id, info.status, dict(run.data.tags), info.artifact_uri or "")


def _number(run: Run) -> int | None:
    text = run.data.tags.get("dense.trial", "")
    return int(text) if text.isdecimal() else None


def _tags(tags: Mapping[str, str]) -> list[RunTag]:
    from mlflow.entities import RunTag

    return [RunTag(key, value) for key, value in tags.items()]


def _batches(
    points: list[Point], params: Mapping[str, str], tags: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """Everything in as few calls as MLflow's limits allow; tags and parameters in the first."""
    from mlflow.entities import Metric, Param

    metrics = [Metric(*point) for point in points]
    named = [Param(key, value) for key, value in params.items()]
    if metrics or named or tags:
        yield {"metrics": metrics[:POINTS], "params": named[:80], "tags": _tags(tags)}
    for start in range(POINTS, len(metrics), POINTS):
        yield {"metrics": metrics[start : start + POINTS]}
    for start in range(80, len(named), 80):
        yield {"params": named[start : start + 80]}
