"""The only step that reads the test part: it packs the final model and scores the package there.

Run as `python -m tasks.scoring.test_score` by `score`; taken once for each (digest, data key, seed)
and kept as `score.json` in the final training's folder.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conf.runtime import child_process
from conf.runtime.errors import DenseError
from conf.runtime.home import write_atomically
from conf.schema.champion import Recipe
from tasks.packaging.records import Candidate, EnsembleMember, FinalScore
from tasks.prepare import Prepared, test_path

if TYPE_CHECKING:
    from mlflow.pyfunc import PyFuncModel

    from tasks.evaluate.predictions import Said
    from tasks.packaging.raw_rows import RawRows

SCORE = "score.json"
PACKAGE = "model"
TEST = "test"
VALIDATION = "validation"
REFERRED = ("train", VALIDATION)


def score(
    candidate: Candidate,
    prepared: Prepared,
    folder: Path,
    *,
    threads: int = 1,
    seconds: float,
    stopping: child_process.Stopping = child_process.never,
    recipe: Recipe | None = None,
    explain: int = 0,
    members: Sequence[EnsembleMember] = (),
    trained: Path | None = None,
) -> FinalScore:
    """Score the final model of a candidate on the test part, once.

    Args:
        candidate: whose final training lies complete in `folder`.
        prepared: the data it was trained on.
        folder: gets `model/`, `reference/`, `test/predictions.parquet`, `test/evaluation.json`,
            `score.json`.
        threads: of the scoring process.
        seconds: after which it is ended.
        stopping: whether the user wants an end.
        recipe: that makes it small; then the files lie in `small-<recipe>/` of the folder.
        explain: so many right and so many wrong answers are explained, in `explained.json`.
        members: of an ensemble; what they say together about the validation part then lies in
            `validation/` of the folder.
        trained: whose weights are packed, where it is another training than the folder's.

    Raises:
        Stopped: the user wanted an end; the next call scores anew.
        DenseError: the model could not be packed or scored.
    """
    out = folder if recipe is None else folder / f"small-{recipe}"
    kept = read_score(out)
    wanted = (candidate.digest, candidate.data, candidate.seed)
    if kept and (kept.digest, kept.data, kept.seed) == wanted and (out / PACKAGE).is_dir():
        return kept
    request = {
        "candidate": candidate.model_dump(mode="json"),
        "folder": str(trained or folder),
        "out": str(out),
        "recipe": recipe,
        "explain": explain,
        "card": str(prepared.card_path),
        "train": str(prepared.train),
        "validation": str(prepared.validation),
        "members": [member.model_dump(mode="json") for member in members],
        "trial": str(
            folder / VALIDATION
            if members
            else folder.parent / f"{candidate.number}-{candidate.digest[:8]}"
        ),
        "test": str(test_path(prepared)),
    }
    child_process.call(
        "tasks.scoring.test_score",
        request,
        log=folder / "score.log",
        threads=threads,
        seconds=seconds,
        stopping=stopping,
    )
    taken = read_score(out)
    if taken is None:
        raise DenseError(f"{out / SCORE} was not written; see {folder / 'score.log'}")
    return taken


def read_score(folder: Path) -> FinalScore | None:
    """The score kept in a folder; None when none was taken."""
    try:
        return FinalScore.model_validate_json((folder / SCORE).read_bytes())
    except (OSError, ValueError):
        return None


def handle(request: dict[str, Any]) -> dict[str, Any]:
    """Pack, predict, measure, evaluate, and write the score last."""
    from tasks.evaluate.evaluation import PREDICTIONS, evaluate
    from tasks.evaluate.predictions import TextPredictions, write
    from tasks.packaging.benchmark import invariance, latencies, load, megabytes
    from tasks.packaging.raw_rows import read_rows
    from tasks.train.folder import file_fact

    candidate = Candidate.model_validate(request["candidate"])
    folder, out = Path(request["folder"]), Path(request["out"])
    card_path = Path(request["card"])
    card = json.loads(card_path.read_text())
    program = _packed(request, candidate, out / PACKAGE)
    if out == folder:
        _refer(request, folder, card)
    model = load(out / PACKAGE)
    rows = read_rows(Path(request["test"]), card["inputs"])
    predictions = _said(model, rows, request, candidate, card)
    write(out / TEST / PREDICTIONS, predictions)
    evaluation = evaluate(out / TEST, candidate.config)
    each = zip(card["classes"], evaluation.classes, strict=True)
    taken = FinalScore(
        digest=candidate.digest,
        data=candidate.data,
        seed=candidate.seed,
        epochs=candidate.epochs,
        rows=evaluation.rows,
        metrics=evaluation.metrics,
        recall={name: scores.recall for name, scores in each},
        signatures=evaluation.signatures,
        package=file_fact(program).sha256,
        size_mb=megabytes(out / PACKAGE),
        latency=latencies(model, rows.values),
        invariance=invariance(model, rows, predictions, card["inputs"], candidate),
        time=time.time(),
    )
    if request.get("explain") and not isinstance(predictions, TextPredictions):
        from tasks.explain.explain import Subject, explain

        parts = Path(request["train"]).parent
        subject = Subject(candidate, card, folder, parts, model, rows, predictions)
        explain(subject, request["explain"])
    write_atomically(out / SCORE, taken.model_dump_json() + "\n")
    return taken.model_dump(mode="json")


def _packed(request: dict[str, Any], candidate: Candidate, destination: Path) -> Path:
    """Write the package; what was learnt, inside it."""
    card, train = Path(request["card"]), Path(request["train"])
    if request.get("members"):
        from tasks.packaging.pack_ensemble import pack_ensemble

        members = [EnsembleMember.model_validate(each) for each in request["members"]]
        return pack_ensemble(candidate, members, card, train, destination)
    from tasks.packaging.pack import pack

    folder = Path(request["folder"])
    return pack(candidate, folder, card, train, destination, request["recipe"])


def _refer(request: dict[str, Any], folder: Path, card: dict[str, Any]) -> None:
    """Keep what new rows will be compared with; of the other parts, never of the test part."""
    from tasks.evaluate.evaluation import PREDICTIONS
    from tasks.evaluate.predictions import read
    from tasks.packaging import drift_reference
    from tasks.packaging.raw_rows import read_rows

    parts = [read_rows(Path(request[name]), card["inputs"]).values for name in REFERRED]
    said = Path(request["trial"]) / PREDICTIONS
    known = read(said) if said.exists() else None
    drift_reference.write(
        folder / drift_reference.REFERENCE, drift_reference.build(parts, card["inputs"], known)
    )


def _said(
    model: PyFuncModel,
    rows: RawRows,
    request: dict[str, Any],
    candidate: Candidate,
    card: dict[str, Any],
) -> Said:
    """What the packed model says of the test rows; of texts also what the targets cost, which the
    package does not answer and perplexity needs."""
    from tasks.packaging import benchmark
    from tasks.train.folder import TrialFolder

    if card["inputs"]["kind"] != "pairs":
        return benchmark.predict(model, rows)
    said = benchmark.written(model, rows)
    if "perplexity" not in candidate.config.evaluate.metrics:
        return said
    from tasks.packaging.pack_seq2seq import target_losses

    weights = TrialFolder(Path(request["folder"])).weights
    part, parts = Path(request["test"]), Path(request["train"]).parent
    losses, tokens = target_losses(candidate.config, card, weights, part, rows.ids, parts)
    return replace(said, losses=losses, tokens=tokens)


if __name__ == "__main__":
    child_process.answer(handle)
