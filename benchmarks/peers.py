"""Other tuners on the same trials: `python -m benchmarks.peers PEER JOB`.

Runs in an environment that has the peer, started by `benchmarks.throughput` and
`benchmarks.time_to_target`. All peers train the same Lightning module on the same prepared data,
two trials at a time. A job is a JSON file. Events are appended to the file that it names, one JSON
object per line with the time: `begin`, `epoch` and `end` of each trial.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.shared import objective as objective_of
from conf.loading.digests import derived_seed
from conf.loading.trial_values import apply_values
from conf.schema.study import Study

Report = Callable[[int, float], bool]
"""Takes an epoch and how good it is; says whether the trial is to end."""
SLOTS = 2


@dataclass(frozen=True)
class Job:
    """What a peer is to do."""

    study: dict[str, Any]
    prepared: str
    events: str
    """File that is appended to."""
    trials: int
    fixed: list[float] | None = None
    """Learning rates of all trials; None: search the study's space, with early stopping."""
    tracking: str | None = None
    """MLflow's store, where the trials are recorded."""

    def note(self, what: str, trial: int, **facts: Any) -> None:
        """Append a line; small ones are whole, whoever else appends."""
        line = {"what": what, "trial": trial, "time": time.time(), **facts}
        with Path(self.events).open("a") as file:
            file.write(json.dumps(line) + "\n")


def train(job: Job, number: int, values: Mapping[str, Any], report: Report) -> float:
    """One trial, as a user of Lightning writes it; how good its best epoch is."""
    import pytorch_lightning as pl
    import torch

    import models
    from data.card import DataCard
    from data.loading.datamodule import StudyData

    quiet()
    torch.set_num_threads(1)
    study, prepared = Study.model_validate(job.study), Path(job.prepared)
    config, seed = apply_values(study.trial_config, values), derived_seed(study.seed, number)
    if number >= 0:
        job.note("begin", number)
    record = Record(job, number, values)
    card = DataCard.read(prepared / "card.json")
    parts = prepared / "parts"
    data = StudyData(config, card, parts / "train", parts / "validation", seed)
    pl.seed_everything(seed % 2**32, verbose=False)
    steps = -(-data.train_rows // config.train.batch_size) * config.train.epochs
    module = models.build(config, card, steps, parts / "train")
    best: list[float] = []

    class Scores(pl.Callback):
        """The objective on the validation part, and the training loss, once an epoch."""

        def on_validation_epoch_start(self, *_: Any) -> None:
            self.said: list[Any] = []

        def on_validation_batch_end(self, trainer: Any, module: Any, said: Any, *_: Any) -> None:
            self.said.append((said["probabilities"], said["target"]))

        def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, *_: Any) -> None:
            self.loss = outputs["loss"]

        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            probabilities, targets = (torch.cat(each) for each in zip(*self.said, strict=True))
            value = objective_of(config.evaluate.objective, probabilities, targets)
            epoch = trainer.current_epoch + 1
            best.append(value)
            record.epoch(epoch, {"val/objective": value, "train/loss": float(self.loss)})
            if number >= 0:
                job.note("epoch", number, epoch=epoch, value=value)
            trainer.should_stop = report(epoch, value)

    trainer = pl.Trainer(
        max_epochs=config.train.epochs,
        accelerator="cpu",
        callbacks=[Scores()],
        logger=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(module, datamodule=data)
    record.end()
    if number >= 0:
        job.note("end", number)
    return max(best)


class Record:
    """A child run in MLflow, if the job wants one."""

    def __init__(self, job: Job, number: int, values: Mapping[str, Any]) -> None:
        self._client: Any = None
        if job.tracking is None or number < 0:
            return
        from mlflow import MlflowClient
        from mlflow.entities import Param

        client = MlflowClient(job.tracking)
        experiment = client.get_experiment_by_name("peers")
        assert experiment is not None
        tags = {"mlflow.parentRunId": os.environ["PARENT_RUN"], "trial": str(number)}
        self._run = client.create_run(experiment.experiment_id, tags=tags).info.run_id
        params = [Param(key, str(value)) for key, value in values.items()]
        client.log_batch(self._run, params=params)
        self._client = client

    def epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Log an epoch's metrics in one call."""
        if self._client is None:
            return
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        found = [Metric(name, value, now, epoch) for name, value in metrics.items()]
        self._client.log_batch(self._run, metrics=found)

    def end(self) -> None:
        """Say that the trial is over."""
        if self._client is not None:
            self._client.set_terminated(self._run)


def warm_up(job: Job) -> None:
    """Import everything by a training that does not count."""
    train(job, -1, fixed_values(job, 0), lambda epoch, value: True)


def fixed_values(job: Job, number: int) -> dict[str, Any]:
    """A trial's configuration where no search chooses it."""
    return {} if job.fixed is None else {"train.lr": job.fixed[number]}


# Optuna: two processes, one storage; given configurations are its trials by number, for two
# processes sometimes take the same enqueued trial out of a storage in SQLite


def optuna_values(job: Job, trial: Any) -> dict[str, Any]:
    """Ask Optuna for each setting of the space."""
    values: dict[str, Any] = {}
    for key, dimension in job.study["search"]["space"].items():
        if "choices" in dimension:
            values[key] = trial.suggest_categorical(key, list(dimension["choices"]))
            continue
        whole = dimension.get("type") == "int"
        suggest = trial.suggest_int if whole else trial.suggest_float
        log = dimension.get("scale") == "log"
        cast = int if whole else float
        values[key] = suggest(key, cast(dimension["low"]), cast(dimension["high"]), log=log)
    return values


def optuna_worker(job: Job, storage: str, ready: Any, seed: int) -> None:
    """One of the two processes."""
    import optuna

    quiet()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warm_up(job)
    epochs = job.study["train"]["epochs"]
    pruner: Any = optuna.pruners.NopPruner()
    if job.fixed is None:
        pruner = optuna.pruners.HyperbandPruner(1, epochs, reduction_factor=3)
    sampler = optuna.samplers.TPESampler(multivariate=True, constant_liar=True, seed=seed)
    study = optuna.load_study(study_name="peer", storage=storage, sampler=sampler, pruner=pruner)

    def objective(trial: Any) -> float:
        if trial.number >= job.trials:  # both processes began a last one
            trial.study.stop()
            raise optuna.TrialPruned

        pruned = False

        def report(epoch: int, value: float) -> bool:
            nonlocal pruned
            if job.fixed is None:
                trial.report(value, epoch)
                pruned = trial.should_prune()
            return pruned

        values = optuna_values(job, trial)
        found = train(job, trial.number, fixed_values(job, trial.number) or values, report)
        if pruned:
            raise optuna.TrialPruned
        return found

    ready.wait()
    study.optimize(objective, callbacks=[optuna.study.MaxTrialsCallback(job.trials, states=None)])


def run_optuna(job: Job) -> None:
    """Two processes that share a storage in SQLite."""
    import optuna

    storage = f"sqlite:///{Path(job.events).with_suffix('.optuna.db')}"
    optuna.create_study(study_name="peer", storage=storage, direction="maximize")
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(SLOTS)
    seed = job.study["seed"] * SLOTS
    works = [
        context.Process(target=optuna_worker, args=(job, storage, ready, seed + n))
        for n in range(SLOTS)
    ]
    for work in works:
        work.start()
    for work in works:
        work.join()


# Hyperopt: it knows no second process without a database server, so each has half of the trials


def hyperopt_worker(job: Job, numbers: list[int], ready: Any) -> None:
    """Half of the fixed configurations."""
    import numpy as np
    from hyperopt import Trials, fmin, hp, tpe

    quiet()
    warm_up(job)
    ready.wait()
    todo = iter(numbers)
    fmin(
        lambda values: -train(job, next(todo), values, lambda epoch, value: False),
        {"train.lr": hp.loguniform("train.lr", np.log(1e-4), np.log(1e-2))},
        algo=tpe.suggest,
        max_evals=len(numbers),
        trials=Trials(),
        points_to_evaluate=[fixed_values(job, number) for number in numbers],
        show_progressbar=False,
        verbose=False,
    )


def run_hyperopt(job: Job) -> None:
    """Two processes that know nothing of each other."""
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(SLOTS)
    halves = [list(range(job.trials))[n::SLOTS] for n in range(SLOTS)]
    works = [context.Process(target=hyperopt_worker, args=(job, half, ready)) for half in halves]
    for work in works:
        work.start()
    for work in works:
        work.join()


# Ray Tune: two actors, used again; the first two trials only warm them up


def run_ray(job: Job) -> None:
    """Ray Tune with two trials at once; ASHA where it is to search."""
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")
    import ray
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler

    ray.init(
        address="local",
        num_cpus=SLOTS,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    warm = 0 if job.fixed is None else SLOTS

    def trainable(config: dict[str, Any]) -> None:
        quiet()
        given = dict(config)
        number = given.pop("number", None)
        if number is None:
            number = int(tune.get_context().get_trial_id().split("_")[-1])
        elif number >= 0:
            given = fixed_values(job, number)

        def report(epoch: int, value: float) -> bool:
            tune.report({"value": value, "epoch": epoch})
            return False

        train(job, number, given, report)

    space: dict[str, Any] = {}
    if job.fixed is None:
        for key, dimension in job.study["search"]["space"].items():
            space[key] = ray_dimension(tune, dimension)
    else:
        space["number"] = tune.grid_search(list(range(-warm, job.trials)))
    scheduler = None
    if job.fixed is None:
        epochs = job.study["train"]["epochs"]
        scheduler = ASHAScheduler(
            time_attr="epoch", max_t=epochs, grace_period=1, reduction_factor=3
        )
    tuner = tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        param_space=space,
        tune_config=tune.TuneConfig(
            metric="value",
            mode="max",
            num_samples=job.trials if job.fixed is None else 1,
            scheduler=scheduler,
            max_concurrent_trials=SLOTS,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(verbose=0, storage_path=str(Path(job.events).parent / "ray")),
    )
    tuner.fit()
    ray.shutdown()


def ray_dimension(tune: Any, dimension: Mapping[str, Any]) -> Any:
    """A setting's range as Ray has it."""
    if "choices" in dimension:
        return tune.choice(list(dimension["choices"]))
    low, high = dimension["low"], dimension["high"]
    if dimension.get("type") == "int":
        return tune.randint(int(low), int(high) + 1)
    return (
        tune.loguniform(low, high) if dimension.get("scale") == "log" else tune.uniform(low, high)
    )


def quiet() -> None:
    """Keep hints out of the output."""
    warnings.filterwarnings("ignore")
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)


PEERS = {"optuna": run_optuna, "ray": run_ray, "hyperopt": run_hyperopt}


def main() -> None:
    """Do a job."""
    quiet()
    job = Job(**json.loads(Path(sys.argv[2]).read_text()))
    if job.tracking is not None:
        from mlflow import MlflowClient

        client = MlflowClient(job.tracking)
        where = client.create_experiment("peers")
        os.environ["PARENT_RUN"] = client.create_run(where).info.run_id
    PEERS[sys.argv[1]](job)


if __name__ == "__main__":
    main()
