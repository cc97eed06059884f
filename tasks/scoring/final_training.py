"""The final training: the winner's configuration on all rows but the test part."""

from __future__ import annotations

from pathlib import Path

from conf.loading.digests import derived_seed
from conf.runtime.home import Home
from conf.schema.run import Resources
from tasks.packaging.records import Candidate
from tasks.prepare import Prepared
from tasks.train.spec import TrialSpec


def final_seed(study_seed: int, epochs: int) -> int:
    """Seed of a final training; its length is in it, so that each length has its own folder."""
    return derived_seed(study_seed, "champion", epochs)


def training_folder(home: Home, study: str, digest: str, seed: int) -> Path:
    """Folder of a training that the champion step asks for."""
    return home.trials(study) / f"champion-{digest[:8]}-{seed}"


def final_folder(home: Home, candidate: Candidate) -> Path:
    """Folder of the candidate's final training."""
    return training_folder(home, candidate.study, candidate.digest, candidate.seed)


def final_spec(
    candidate: Candidate, prepared: Prepared, resources: Resources, *, attempt: int = 1
) -> TrialSpec:
    """What the trial engine is told to train.

    Train and validation part together, as long as the winner took to its best epoch and on the
    same schedule; without a validation part the last epoch is the one that is kept.
    """
    rows = prepared.card.rows
    return TrialSpec(
        study=candidate.study,
        number=candidate.number,
        attempt=attempt,
        digest=candidate.digest,
        config=candidate.config,
        seed=candidate.seed,
        train=str(prepared.train),
        also=(str(prepared.validation),),
        validation=None,
        card=str(prepared.card_path),
        until=candidate.epochs,
        threads=resources.threads,
        devices=resources.devices,
        strategy=resources.strategy,
        # More rows than a trial had take longer in proportion.
        trial_seconds=resources.trial_seconds * (rows.train + rows.validation) / rows.train,
        keep="last",
    )
