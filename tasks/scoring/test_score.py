"""The only step that reads the test split: pack the final model and score the package there.

A model is scored once for each (configuration digest, data key, seed); the score is kept as
`score.json` in the folder of the final training.

Run as `python -m tasks.scoring.test_score` by `score` and `score_batch`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conf.runtime import child_process
from conf.runtime.atomic_write import write_atomically
from conf.runtime.errors import DenseError
from conf.schema.base import Recipe
from data.card import DataCard
from tasks.packaging.records import Candidate, EnsembleMember, FinalScore
from tasks.prepare import Prepared, test_path
from tasks.scoring.score_request import (
    PACKAGE,
    SCORE,
    TEST,
    VALIDATION,
    ReferenceRequest,
    ScoreBatch,
    ScoreReply,
    ScoreRequest,
)

if TYPE_CHECKING:
    from mlflow.pyfunc import PyFuncModel

    from tasks.evaluate.predictions import AnyPredictions
    from tasks.packaging.raw_rows import RawRows

ONLY = "final"  # name of the request in a batch of one


def score(  # noqa: PLR0913  keyword options
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
    weights: Path | None = None,
) -> FinalScore:
    """Score the final model of a candidate on the test split, once.

    Args:
        candidate: its final training in `folder` is complete.
        prepared: the data it was trained on.
        folder: receives `model/`, `reference/`, `test/predictions.parquet`,
            `test/evaluation.json`, `score.json`.
        threads: of the scoring process.
        seconds: time limit of the scoring process.
        stopping: whether the user asked to stop.
        recipe: of the compression to apply; the files then lie in `small-<recipe>/` of the folder.
        explain: number of right and of wrong predictions to explain in `explained.json`.
        members: of an ensemble; its predictions on the validation split must lie in `validation/`
            of the folder.
        weights: folder of the training whose weights are packed, if it is not `folder`.

    Raises:
        Stopped: the user asked to stop; the next call scores again.
        DenseError: the model could not be packed or scored.
    """
    out = folder if recipe is None else folder / f"small-{recipe}"
    earlier = read_score(out)
    identity = (candidate.digest, candidate.data, candidate.seed)
    if (
        earlier is not None
        and (earlier.digest, earlier.data, earlier.seed) == identity
        and (out / PACKAGE).is_dir()
    ):
        return earlier
    trial = folder.parent / f"{candidate.number}-{candidate.digest[:8]}"
    request = ScoreRequest(
        candidate=candidate,
        folder=weights or folder,
        out=out,
        card=prepared.card_path,
        train=prepared.train,
        test=test_path(prepared),
        recipe=recipe,
        members=tuple(members),
        reference=None
        if recipe
        else ReferenceRequest(
            splits=(prepared.train, prepared.validation),
            trial=folder / VALIDATION if members else trial,
        ),
        explain=explain,
    )
    log = folder / "score.log"
    score_batch({ONLY: request}, log=log, threads=threads, seconds=seconds, stopping=stopping)
    result = read_score(out)
    if result is None:
        raise DenseError(f"{out / SCORE} was not written; see {log}")
    return result


def score_batch(
    requests: Mapping[str, ScoreRequest],
    *,
    log: Path,
    threads: int,
    seconds: float,
    stopping: child_process.Stopping = child_process.never,
) -> dict[str, FinalScore]:
    """Pack and score several models in one process of their own; the scores by name.

    Args:
        requests: by a name of each.
        log: file that receives the stderr of the process.
        threads: of the process.
        seconds: time limit of the process.
        stopping: whether the user asked to stop.

    Raises:
        Stopped: the user asked to stop.
        BadInput: a recipe is not for a model.
        DenseError: a model could not be packed or scored.
    """
    reply = child_process.call(
        "tasks.scoring.test_score",
        ScoreBatch(requests=dict(requests)).model_dump(mode="json"),
        log=log,
        threads=threads,
        seconds=seconds,
        stopping=stopping,
    )
    return ScoreReply.model_validate(reply).scores


def read_score(folder: Path) -> FinalScore | None:
    """The score kept in a folder; None if there is none."""
    try:
        return FinalScore.model_validate_json((folder / SCORE).read_bytes())
    except (OSError, ValueError):
        return None


def handle(request: dict[str, Any]) -> dict[str, Any]:
    """Score every model of a batch, on JSON."""
    batch = ScoreBatch.model_validate(request)
    scores = {name: pack_and_score(each) for name, each in batch.requests.items()}
    return ScoreReply(scores=scores).model_dump(mode="json")


def pack_and_score(request: ScoreRequest) -> FinalScore:
    """Pack, predict, compare with the trained model, measure and evaluate; `score.json` is written
    last.

    Raises:
        BadInput: the recipe is not for this model.
        DenseError: the weights are missing, or the packed model predicts otherwise.
    """
    from tasks.evaluate.evaluation import PREDICTIONS, evaluate
    from tasks.evaluate.predictions import TextPredictions, write
    from tasks.packaging.benchmark import invariance, latencies, load, megabytes
    from tasks.packaging.pack import pack
    from tasks.packaging.packer import PackJob
    from tasks.packaging.raw_rows import read_rows
    from tasks.scoring.served_check import check_served
    from tasks.train.folder import file_fact

    candidate, out = request.candidate, request.out
    card = DataCard.read(request.card)
    job = PackJob(candidate, request.folder, card, request.train, request.recipe, request.members)
    weights = pack(job, out / PACKAGE)
    if request.reference is not None:
        _write_reference(request.reference, request.folder, card)
    model = load(out / PACKAGE)
    rows = read_rows(request.test, card.inputs)
    predictions = _predict(model, rows, request, card)
    check_served(predictions, model, request, card)
    write(out / TEST / PREDICTIONS, predictions)
    evaluation = evaluate(out / TEST, candidate.config)
    by_class = zip(card.classes, evaluation.classes, strict=True)
    result = FinalScore(
        digest=candidate.digest,
        data=candidate.data,
        seed=candidate.seed,
        epochs=candidate.epochs,
        rows=evaluation.rows,
        metrics=evaluation.metrics,
        recall={name: scores.recall for name, scores in by_class},
        signatures=evaluation.signatures,
        package=file_fact(weights).sha256,
        size_mb=megabytes(out / PACKAGE),
        latency=latencies(model, rows.values),
        invariance=invariance(model, rows, predictions, card.inputs, candidate),
        time=time.time(),
    )
    if request.explain and not isinstance(predictions, TextPredictions):
        from tasks.explain.explain import Subject, explain

        splits = request.train.parent
        subject = Subject(candidate, card, request.folder, splits, model, rows, predictions)
        explain(subject, request.explain)
    write_atomically(out / SCORE, result.model_dump_json() + "\n")
    return result


def _write_reference(request: ReferenceRequest, folder: Path, card: DataCard) -> None:
    from tasks.evaluate.evaluation import PREDICTIONS
    from tasks.evaluate.predictions import read
    from tasks.packaging import drift_reference
    from tasks.packaging.raw_rows import read_rows

    rows = [read_rows(split, card.inputs).values for split in request.splits]
    path = request.trial / PREDICTIONS
    predictions = read(path) if path.exists() else None
    reference = drift_reference.build(rows, card.inputs, predictions)
    drift_reference.write(folder / drift_reference.REFERENCE, reference)


def _predict(
    model: PyFuncModel, rows: RawRows, request: ScoreRequest, card: DataCard
) -> AnyPredictions:
    """Predictions of the packed model; of generated texts with the losses for perplexity.

    A package only generates text, so the losses of the targets come from the network itself.
    """
    from tasks.packaging import benchmark
    from tasks.train.folder import TrialFolder

    if card.inputs.kind != "pairs":
        return benchmark.predict(model, rows)
    predictions = benchmark.generate(model, rows)
    config = request.candidate.config
    if "perplexity" not in config.evaluate.metrics:
        return predictions
    from tasks.packaging.pack_seq2seq import target_losses

    weights = TrialFolder(request.folder).weights
    losses, tokens = target_losses(
        config, card, weights, request.test, rows.ids, request.train.parent
    )
    return replace(predictions, losses=losses, tokens=tokens)


if __name__ == "__main__":
    child_process.answer(handle)
