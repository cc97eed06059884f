"""The training loop of a trial: Lightning, padding, cached features and LoRA, in processor seconds.

    python -m benchmarks.train [--home FOLDER] [--steps 15] [--turns 3] [--as-python-starts]

Compares Lightning's step with a plain loop, padding per batch with padding to the longest text,
cached features with features computed in the trial, and LoRA with full fine-tuning.

Everything is measured in processor seconds of one thread, each part in a forked process, and
compared parts take turns. They run in the environment of a trial, where memory stays with the
process, or with `--as-python-starts` in Python's default. Data and weights are those of `digits`
and `tweets`.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.shared import cpu_seconds
from conf.loading.digests import derived_seed, trial_digest
from conf.loading.load import load_study
from conf.loading.trial_values import apply_values
from conf.runtime import environment
from conf.runtime.home import Home
from conf.schema.augment import Augment
from conf.schema.study import Study
from tasks.prepare import Prepared, prepare
from tasks.train.engine.client import server_environment
from tasks.train.preflight import make_ready
from tasks.train.spec import TrialSpec

FROZEN_STEPS = 40


def spec_of(study: Study, prepared: Prepared, steps: int, values: dict[str, Any]) -> TrialSpec:
    """A training of one epoch of so many steps, without validation."""
    config = apply_values(
        study.trial_config,
        {"train.epochs": 1, "train.steps_per_epoch": steps, "train.schedule": "constant", **values},
    )
    return TrialSpec(
        study=study.name,
        number=0,
        digest=trial_digest(config),
        config=config,
        seed=derived_seed(0, 0),
        train=str(prepared.train),
        validation=None,
        card=str(prepared.card_path),
        until=1,
        keep="last",
    )


def built(spec: TrialSpec) -> tuple[Any, Any]:
    """Module and data as a trial builds them."""
    from data.card import DataCard
    from tasks.train.trial.fit import build

    return build(spec, DataCard.read(Path(spec.card)), 0)


def lightning(spec: TrialSpec) -> float:
    """Processor seconds of a step in the trial's own loop, first step and checkpoint left out."""
    import pytorch_lightning as pl

    from conf.runtime.atomic_write import Background
    from tasks.train.engine.protocol import Reporter
    from tasks.train.trial import lightning_patches
    from tasks.train.trial.callbacks import Curve, EpochSeed, Guard
    from tasks.train.trial.checkpoints import DurableCheckpointIO, restore
    from tasks.train.trial.fit import build_trainer, quiet

    marks: list[float] = []

    class Clock(pl.Callback):
        def on_train_batch_end(self, *_: Any, **__: Any) -> None:
            marks.append(time.process_time())

    quiet()
    lightning_patches.install()
    module, data = built(spec)
    with tempfile.TemporaryDirectory() as folder:
        restored = restore(Path(folder))
        guard = Guard(Reporter(None, 0))
        curve = Curve(spec, restored.progress, guard)
        checkpoints = DurableCheckpointIO(restored, Background())
        callbacks = [EpochSeed(spec.seed, 0), guard, curve, Clock()]
        build_trainer(spec, callbacks, checkpoints).fit(module, datamodule=data)
    return per_step(marks)


def plain(spec: TrialSpec, change: Callable[[Any], Any] = lambda batch: batch) -> float:
    """Processor seconds of a step of a plain PyTorch loop over the same batches."""
    from models.optimizers import build_schedule

    module, data = built(spec)
    module.train()
    optimizer = module.configure_optimizers()["optimizer"]
    schedule = build_schedule(spec.config.train, optimizer, 1_000)
    marks = []
    for batch in data.train_dataloader():
        optimizer.zero_grad()
        module.training_step(change(batch), 0).backward()
        optimizer.step()
        schedule.step()
        marks.append(time.process_time())
    return per_step(marks)


def per_step(marks: Sequence[float]) -> float:
    """Mean seconds between marks; the first step, which warms up, begins before them."""
    return (marks[-1] - marks[0]) / (len(marks) - 1)


def padded_to(most: int) -> Callable[[Any], Any]:
    """A change of batches: every text filled up to the most tokens."""
    from torch.nn.functional import pad

    def change(batch: Any) -> Any:
        room = most - batch["x"].shape[1]
        return {**batch, "x": pad(batch["x"], (0, room)), "mask": pad(batch["mask"], (0, room))}

    return change


def with_memory(work: Callable[[], float]) -> tuple[float, float]:
    """What some work answers, and the MiB that it needed beyond what was there before."""
    Path("/proc/self/clear_refs").write_text("5")  # forget the highest mark so far
    before = _status("VmRSS")
    return work(), (_status("VmHWM") - before) / 1024


def _status(name: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return float(line.split()[1])
    raise SystemExit(f"/proc/self/status has no {name}; run this on Linux")


def apart(work: Callable[[], Any]) -> Any:
    """Do some work in a forked process: none inherits what another has warmed or filled."""
    import multiprocessing

    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=lambda: theirs.send(work()))
    child.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        raise SystemExit("a measurement failed; its traceback is above") from None
    finally:
        child.join()


def in_turns(turns: int, *works: Callable[[], float]) -> list[float]:
    """The median of each, measured one after the other, several times."""
    rounds = [[apart(work) for work in works] for _ in range(turns)]
    return [statistics.median(found) for found in zip(*rounds, strict=True)]


def rows(home: Home, steps: int, turns: int) -> Iterator[tuple[str, str, str, str]]:
    """What is compared, the two figures, and what follows."""
    digits, tweets = (ready(name, home) for name in ("digits", "tweets"))
    cnn = spec_of(*digits, steps * 20, {})
    full = spec_of(*tweets, steps, {})
    for name, spec in (("CNN, 64 digits a step", cnn), ("MiniLM, 16 tweets a step", full)):
        works = (lambda spec=spec: lightning(spec), lambda spec=spec: plain(spec))
        ours, bare = in_turns(turns, *works)
        yield f"{name}: ours, plain loop", ms(ours), ms(bare), f"{ours / bare - 1:+.1%}"
    tokens = full.config.model.tokens  # type: ignore[union-attr]
    by_batch, fixed = in_turns(turns, lambda: plain(full), lambda: plain(full, padded_to(tokens)))
    yield f"padded by batch, to {tokens}", ms(by_batch), ms(fixed), f"{fixed / by_batch:.1f} times"
    lora = spec_of(*tweets, steps, {"model.tune": "lora"})
    found = [apart(lambda spec=spec: with_memory(lambda: plain(spec))) for spec in (lora, full)]
    yield "LoRA, full: a step", ms(found[0][0]), ms(found[1][0]), of(found[0][0], found[1][0])
    mib = [f"{memory:,.0f} MiB" for _, memory in found]
    yield "LoRA, full: memory", *mib, of(found[0][1], found[1][1])
    yield from frozen(tweets, home, turns)


def frozen(
    tweets: tuple[Study, Prepared], home: Home, turns: int
) -> Iterator[tuple[str, str, str, str]]:
    """A head on features against the same head behind the frozen network, in the trial."""
    study, prepared = tweets
    weights = {"model.kind": "head", "train.batch_size": 64, "train.lr": 1e-3}
    head = spec_of(study, prepared, FROZEN_STEPS, weights)
    behind = spec_of(study, prepared, 8, {"model.tune": "frozen", "train.batch_size": 64})
    for file in (home.features / prepared.key).glob("*.npy"):
        file.unlink()
    first = apart(lambda: cpu_seconds(lambda: built(head)))
    again = apart(lambda: cpu_seconds(lambda: built(head)))
    yield "features: computed, found", f"{first:.1f} s", f"{again:.2f} s", "once a data key"
    kept, computed = in_turns(turns, lambda: plain(head), lambda: plain(behind))
    yield "frozen MiniLM, a step of 64: kept, anew", ms(kept), ms(computed), of(computed, kept)
    steps = -(-prepared.card.rows.train // 64)
    even = first / (steps * (computed - kept))
    yield "epochs after which keeping pays", f"{even:.1f}", "", f"{steps} steps an epoch"


def ready(name: str, home: Home) -> tuple[Study, Prepared]:
    """A shipped study without changes of rows, its data and weights at hand."""
    study = load_study(name)
    study = study.model_copy(update={"augment": Augment()})
    prepared = prepare(study, home, print)
    make_ready(study, prepared.card, home, print)
    return study, prepared


def ms(value: float) -> str:
    """Seconds as milliseconds."""
    return f"{value * 1000:,.2f} ms"


def of(one: float, other: float) -> str:
    """One as a multiple of the other."""
    return f"{one / other:.2f} times"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, default=None, help="where data and weights are kept")
    parser.add_argument("--steps", type=int, default=15, help="of MiniLM; the CNN makes 20 times")
    parser.add_argument("--turns", type=int, default=3, help="measurements of each")
    parser.add_argument("--as-python-starts", action="store_true", help="not as a trial does")
    given = parser.parse_args()
    environment.apply()
    if not given.as_python_starts:
        anew = [sys.executable, "-m", "benchmarks.train", *sys.argv[1:], "--as-python-starts"]
        os.execve(sys.executable, anew, server_environment(os.environ))
    import torch

    import tasks.train.trial.fit  # noqa: F401  every child has it imported

    torch.set_num_threads(1)
    load = os.getloadavg()[0]
    for row in itertools.chain(
        [("", "first", "second", "")],
        [("---",) * 4],
        rows(Home.open(given.home), given.steps, given.turns),
    ):
        print("| " + " | ".join(row) + " |", flush=True)
    print(f"\nload {load:.1f} to {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
