"""The final training: the winner's configuration on the train and validation splits."""

from __future__ import annotations

from pathlib import Path

from conf.loading.digests import derived_seed
from conf.runtime.home import Home
from conf.schema.run import Resources
from tasks.packaging.records import Candidate
from tasks.prepare import Prepared
from tasks.train.spec import TrialSpec


def final_seed(study_seed: int, epochs: int) -> int:
    """Seed of a final training, derived from its length so that each length has its own folder."""
    return derived_seed(study_seed, "champion", epochs)


def training_folder(home: Home, study: str, digest: str, seed: int) -> Path:
    """Folder of a training of the champion step."""
    return home.trials(study) / f"champion-{digest[:8]}-{seed}"


def final_folder(home: Home, candidate: Candidate) -> Path:
    """Folder of the candidate's final training."""
    return training_folder(home, candidate.study, candidate.digest, candidate.seed)


def final_spec(
    candidate: Candidate, prepared: Prepared, resources: Resources, *, attempt: int = 1
) -> TrialSpec:
    """Spec of the final training.

    The train and validation splits together, for the number of epochs after which the winner was
    best, on the same learning-rate schedule. Without a validation split the weights of the last
    epoch are kept.
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
        # The time limit grows with the rows.
        trial_seconds=resources.trial_seconds * (rows.train + rows.validation) / rows.train,
        keep="last",
    )
