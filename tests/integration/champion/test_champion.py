from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient
from PIL import Image

from conf.runtime.errors import BadInput, DenseError
from conf.runtime.home import Home
from conf.schema.champion import Gate, Monitor
from tasks.champion.decision import decide
from tasks.champion.gate import apply_gate
from tasks.evaluate.predictions import read
from tasks.monitor.runs import MonitorRun, NoNewRows
from tasks.monitor.watch import watch
from tasks.packaging import drift_reference
from tasks.packaging.explanations import read_explained
from tasks.packaging.records import Candidate, Decision, RegisteredVersion
from tasks.prepare import test_path
from tasks.registry import aliases
from tasks.registry.promote import promote, rollback
from tasks.registry.register import Registration, register
from tasks.scoring.predict import predict_file
from tasks.scoring.score_files import score_files
from tasks.scoring.test_score import score
from tests.integration.champion.conftest import Scored
from tests.integration.champion.serving import ask, served
from tests.integration.champion.watching import fresh, looked, save
from tests.unit.champion.helpers import candidate
from tests.unit.champion.helpers import scored as scored_record

CROWN = apply_gate(Gate(), scored_record(candidate()), metrics={}, gain=None)
FOREIGN = Path(__file__).with_name("foreign.py")


@pytest.fixture(scope="module")
def client(scored: Scored) -> MlflowClient:
    uri = f"sqlite:///{scored.home.mlflow_database}"
    client = MlflowClient(uri, uri)
    client.create_experiment("digits", artifact_location=str(scored.home.artifacts))
    return client


def registered(
    client: MlflowClient,
    scored: Scored,
    candidate: Candidate,
    expected: str | None,
    decision: Decision = CROWN,
) -> RegisteredVersion:
    given = Registration(
        candidate,
        scored.score,
        decision,
        scored.folder,
        model="digits",
        card="# digits",
        params={"train.lr": 0.01},
    )
    return register(client, scored.home, given, expected=expected)


def test_the_score_is_good_kept_and_agrees_with_its_predictions(scored: Scored) -> None:
    accuracy = scored.score.metrics["accuracy"]
    assert accuracy.low <= accuracy.value <= accuracy.high
    assert accuracy.value > 0.8
    predictions = read(scored.folder / "test" / "predictions.parquet")
    assert (predictions.targets == predictions.predictions).mean() == accuracy.value
    before = (scored.folder / "score.json").stat().st_mtime_ns
    again = score(scored.candidate, scored.prepared, scored.folder, seconds=1e-3)
    assert again == scored.score
    assert (scored.folder / "score.json").stat().st_mtime_ns == before


def test_only_the_scoring_process_is_told_where_the_test_part_is(scored: Scored) -> None:
    test = str(test_path(scored.prepared))
    specs = list(scored.home.path.rglob("spec.json"))
    assert specs
    assert not [spec for spec in specs if test in spec.read_text()]


def test_answers_on_the_test_part_are_explained(scored: Scored) -> None:
    found = read_explained(scored.folder)
    assert found is not None and not found.why_not
    predictions = read(scored.folder / "test" / "predictions.parquet")
    hit = dict(zip(predictions.ids, predictions.targets == predictions.predictions, strict=True))
    assert [each.right for each in found.examples] == [True, True, False, False]
    assert all(hit[each.id] == each.right for each in found.examples)
    assert len({each.heat for each in found.examples}) == 4


def test_first_registration_then_nothing_then_only_a_better_one(
    client: MlflowClient, scored: Scored
) -> None:
    first = registered(client, scored, scored.candidate, None)
    assert registered(client, scored, scored.candidate, None) == first
    assert [v.version for v in client.search_model_versions("name = 'digits'")] == [1]
    assert len(client.search_runs([client.get_experiment_by_name("digits").experiment_id])) == 1
    held = aliases.incumbent(client, "digits")
    assert held is not None and (held.version, held.value) == (first.version, 0.9)
    assert decide(scored.candidate, held).verdict == "unchanged"
    other = scored.candidate.model_copy(update={"digest": "f" * 64, "value": 0.95})
    assert decide(other, held).verdict == "crown"
    second = registered(client, scored, other, held.version)
    assert second.version != first.version
    now = client.get_model_version_by_alias("digits", "champion")
    assert str(now.version) == second.version
    assert now.tags["dense.previous"] == first.version


def test_a_registration_killed_before_the_alias_is_completed(
    client: MlflowClient, scored: Scored, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = aliases.incumbent(client, "digits")
    expected = held.version if held else None
    third = scored.candidate.model_copy(update={"digest": "9" * 64, "value": 0.99})
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_registered_model_alias", _killed)
        with pytest.raises(KeyboardInterrupt):
            registered(client, scored, third, expected)
    assert aliases.incumbent(client, "digits") == held
    left = aliases.find_version(
        client,
        "digits",
        {"dense.digest": third.digest, "dense.data": third.data, "dense.seed": str(third.seed)},
    )
    assert left is not None
    done = registered(client, scored, third, expected)
    assert done.version == str(left.version)
    assert aliases.incumbent(client, "digits").version == done.version  # type: ignore[union-attr]


def test_a_person_moves_the_alias_forth_and_back(client: MlflowClient, scored: Scored) -> None:
    versions = {}
    for letter in "12":
        other = scored.candidate.model_copy(update={"digest": letter * 64})
        refused = CROWN.model_copy(update={"verdict": "refused"})
        held = aliases.incumbent(client, "digits")
        expected = held.version if held else None
        versions[letter] = registered(client, scored, other, expected, refused).version
    for letter in "12":
        moved = promote(client, scored.home, "digits", versions[letter])
        assert moved.now.version == versions[letter] != moved.before
    back = rollback(client, scored.home, "digits")
    assert (back.now.version, back.before) == (versions["1"], versions["2"])
    held = aliases.incumbent(client, "digits")
    assert held is not None and held.version == versions["1"]
    keys = (scored.candidate.data, scored.candidate.seed)
    assert aliases.withdrawn(client, "digits", "2" * 64, *keys) == versions["2"]
    newest = promote(client, scored.home, "digits")  # the challenger
    assert newest.now.version == versions["2"]
    with pytest.raises(BadInput, match="is its champion already"):
        promote(client, scored.home, "digits", versions["2"])
    assert aliases.withdrawn(client, "digits", "2" * 64, *keys) is None


@pytest.mark.parametrize(
    ("model", "version", "message"),
    [
        pytest.param("numbers", "1", "there is no registered model 'numbers'", id="no model"),
        pytest.param("digits", "99", "has no version 99", id="no version"),
    ],
)
def test_a_version_that_is_not_there(
    client: MlflowClient, scored: Scored, model: str, version: str, message: str
) -> None:
    held = aliases.incumbent(client, "digits")
    if held is None:
        held_version = registered(client, scored, scored.candidate, None).version
    else:
        held_version = held.version
    with pytest.raises(BadInput, match=message):
        promote(client, scored.home, model, version)
    now = aliases.incumbent(client, "digits")
    assert now is not None and now.version == held_version


def test_an_alias_moved_meanwhile_is_left_alone(client: MlflowClient, scored: Scored) -> None:
    held = aliases.incumbent(client, "digits")
    fourth = scored.candidate.model_copy(update={"digest": "8" * 64, "value": 1.0})
    with pytest.raises(DenseError, match="moved"):
        registered(client, scored, fourth, "12345")
    assert aliases.incumbent(client, "digits") == held


def test_the_registered_model_answers_where_the_project_is_absent(
    client: MlflowClient, scored: Scored, images: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    if aliases.aliased(client, "digits") is None:
        registered(client, scored, scored.candidate, None)
    rows, targets = images
    np.save(tmp_path / "rows.npy", rows)
    uri = f"sqlite:///{scored.home.mlflow_database}"
    out = tmp_path / "out.json"
    subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            FOREIGN,
            sysconfig.get_path("purelib"),
            uri,
            "models:/digits@champion",
            tmp_path / "rows.npy",
            out,
        ],
        check=True,
        cwd=tmp_path,
        timeout=120,
        env={
            "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "OMP_NUM_THREADS": "1",
            "DO_NOT_TRACK": "true",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        },
    )
    answer = json.loads(out.read_text())
    assert answer["columns"] == ["label", *(f"p_{digit}" for digit in range(10))]
    labels = np.array(answer["labels"])
    assert (labels == targets).mean() > 0.8
    assert np.allclose(np.sum(answer["probabilities"], axis=1), 1, atol=1e-5)
    assert answer["one"] == answer["labels"][:1]
    assert answer["modules"] == []
    assert all(answer["errors"])
    assert answer["metadata"]["data"] == scored.prepared.key
    saved = read(scored.folder / "test" / "predictions.parquet")
    assert np.array_equal(labels[saved.ids], saved.predictions)


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_files_rows_are_answered_by_the_champion(
    client: MlflowClient, scored: Scored, images: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    if aliases.aliased(client, "digits") is None:
        registered(client, scored, scored.candidate, None)
    np.save(tmp_path / "rows.npy", images[0][:50])
    answers, remarks = predict_file(client, "digits", tmp_path / "rows.npy")
    assert remarks == [] and (answers["label"] == images[1][:50]).mean() > 0.8
    with pytest.raises(BadInput, match="no registered model 'numbers'"):
        predict_file(client, "numbers", tmp_path / "rows.npy")


def test_other_rows_are_scored_by_the_champion(
    client: MlflowClient, scored: Scored, images: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    if aliases.aliased(client, "digits") is None:
        registered(client, scored, scored.candidate, None)
    for number, (pixels, label) in enumerate(zip(images[0][:40], images[1][:40], strict=True)):
        folder = tmp_path / "scans" / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        grey = Image.fromarray((pixels * (255 / 16)).round().astype("uint8"))
        grey.save(folder / f"{number}.png")
    (found,) = score_files(client, "digits", [tmp_path / "scans"])
    assert (found.rows, found.metrics["accuracy"].value > 0.8) == (40, True)


def test_a_champion_moved_by_hand_meanwhile_is_left_alone(
    client: MlflowClient, scored: Scored, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody moves the alias in MLflow's pages between a command's look and its write."""
    if aliases.aliased(client, "digits") is None:
        registered(client, scored, scored.candidate, None)
    held = aliases.incumbent(client, "digits")
    other = scored.candidate.model_copy(update={"digest": "7" * 64})
    refused = CROWN.model_copy(update={"verdict": "refused"})
    wanted = registered(client, scored, other, held.version if held else None, refused).version
    look, seen = aliases.aliased, []

    def moving(client: MlflowClient, model: str, alias: str = "champion") -> Any:
        seen.append(alias)
        found = look(client, model, alias)
        if len(seen) == 1:
            client.delete_registered_model_alias(model, "champion")
        return found

    monkeypatch.setattr(aliases, "aliased", moving)
    with pytest.raises(aliases.AliasMoved, match="to nobody"):
        promote(client, scored.home, "digits", wanted)
    assert look(client, "digits") is None
    monkeypatch.undo()
    promote(client, scored.home, "digits", held.version if held else "1")


def test_new_files_are_looked_at_once_and_raise_nothing(
    client: MlflowClient, scored: Scored, tmp_path: Path
) -> None:
    if aliases.aliased(client, "digits") is None:
        registered(client, scored, scored.candidate, None)
    values, labels = fresh(scored, 150)
    save(tmp_path, values[:20], labels[:20])
    waiting = looked(client, scored, tmp_path)
    assert isinstance(waiting, NoNewRows) and "20 new rows" in waiting.why
    save(tmp_path, values[20:], labels[20:], "more")
    found = looked(client, scored, tmp_path)
    assert isinstance(found, MonitorRun) and not found.look.alarm
    assert (found.look.rows, found.look.labelled, len(found.look.tests)) == (150, 150, 5)
    assert found.look.metrics["accuracy"].value > 0.8
    again = looked(client, scored, tmp_path)
    assert isinstance(again, NoNewRows) and "no file" in again.why
    run = client.get_run(found.run_id)
    assert run.data.tags["dense.kind"] == "monitor" and run.data.metrics["alarm"] == 0
    names = {file.path for file in client.list_artifacts(found.run_id)}
    assert names == {"look.json", "monitor.html"}


def test_turned_rows_and_wrong_answers_raise_alarms_and_leave_the_alias(
    client: MlflowClient, scored: Scored, tmp_path: Path
) -> None:
    if aliases.aliased(client, "digits") is None:
        registered(client, scored, scored.candidate, None)
    held = aliases.incumbent(client, "digits")
    values, labels = fresh(scored, 120)
    np.save(tmp_path / "turned.npy", np.rot90(values, axes=(1, 2)))
    turned = looked(client, scored, tmp_path / "turned.npy", 1)
    assert isinstance(turned, MonitorRun) and turned.look.labelled == 0
    raised = {test.name for test in turned.look.tests if test.raised}
    assert {"inputs, one by one", "inputs, as wholes"} <= raised
    page = turned.page.read_text()
    assert "Alarm" in page and "://" not in page.split("<script>")[0]
    save(tmp_path / "drop", values, (labels + (np.arange(120) % 3 == 0)) % 10)
    wrong = looked(client, scored, tmp_path / "drop", 2)
    assert isinstance(wrong, MonitorRun)
    assert {test.name for test in wrong.look.tests if test.raised} == {"quality"}
    assert aliases.incumbent(client, "digits") == held


def test_what_is_compared_with_is_of_the_version_and_not_of_the_test_part(
    client: MlflowClient, scored: Scored, tmp_path: Path
) -> None:
    if aliases.aliased(client, "digits") is None:
        registered(client, scored, scored.candidate, None)
    version = aliases.aliased(client, "digits")
    assert version is not None
    found = drift_reference.read(
        Path(client.download_artifacts(version.run_id, "reference", str(tmp_path)))
    )
    rows = scored.prepared.card.rows
    assert len(found.features) == rows.train + rows.validation
    assert found.answers is not None and len(found.answers.values) == rows.validation
    with pytest.raises(BadInput, match="no registered model 'numbers'"):
        watch(client, scored.home, "numbers", tmp_path, Monitor(), time=0)


@pytest.mark.long
def test_the_champion_is_served_over_http(
    client: MlflowClient, scored: Scored, images: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    if aliases.aliased(client, "digits") is None:
        registered(client, scored, scored.candidate, None)
    uri = f"sqlite:///{scored.home.mlflow_database}"
    with served("models:/digits@champion", tmp_path / "server.log", uri=uri) as url:
        status, answer = ask(url, {"inputs": images[0][:20].tolist()})
        assert status == 200
        labels = [row["label"] for row in answer["predictions"]]
        assert np.mean(np.array(labels) == images[1][:20]) > 0.8
        for wrong in ({"inputs": [[1, 2]]}, {"rows": []}, {"inputs": [["x"] * 8] * 8}):
            assert ask(url, wrong)[0] == 400
        seconds = []
        for row in images[0][:50]:
            start = time.perf_counter()
            assert ask(url, {"inputs": [row.tolist()]})[0] == 200
            seconds.append(time.perf_counter() - start)
    print(f"p95 {np.quantile(seconds, 0.95) * 1000:.1f} ms, {1 / np.mean(seconds):.0f} a second")


def test_a_version_from_elsewhere_is_refused(home: Home) -> None:
    uri = f"sqlite:///{home.mlflow_database}"
    client = MlflowClient(uri, uri)
    client.create_registered_model("digits")
    client.create_model_version("digits", source=str(home.path))
    client.set_registered_model_alias("digits", "champion", "1")
    with pytest.raises(DenseError, match=r"champion\.model=<name>"):
        aliases.incumbent(client, "digits")
