"""Preparation and loading: seconds, memory, and the loader's share of an epoch.

    python -m benchmarks.data [--images 10000] [--texts 100000] [--trials 8]

Prepares large data for the first and the second time, compares the loader with a plain PyTorch
loader with the same albumentations pipeline and with the training steps of the shipped studies, and
measures the memory of trials that share one prepared set. Each part runs in processes of its own,
on one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SIZE = 96
MIB = 2**20


def write_images(folder: Path, count: int) -> None:
    """Smooth random images as PNG files, a folder a class."""
    import cv2
    import numpy as np

    random = np.random.default_rng(0)
    for label in range(10):
        (folder / f"class{label}").mkdir(parents=True)
    for number in range(count):
        coarse = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        image = cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"class{number % 10}" / f"{number}.png"), image)


def write_texts(file: Path, count: int) -> None:
    """Sentences of about fifteen words out of five thousand."""
    import numpy as np

    random = np.random.default_rng(0)
    words = np.array(["".join(random.choice(list("etaoinshrdlu"), 6)) for _ in range(5_000)])
    with file.open("w") as out:
        out.write("label,text\n")
        for number in range(count):
            chosen = words[random.zipf(1.3, 15) % len(words)]
            out.write(f"{number % 2},{' '.join(chosen)} {number}\n")


def study(kind: str, preset: str | None = None) -> Any:
    """The study over one of the written sources."""
    from conf.schema.study import Study

    data = {
        "images": {"source": "images", "path": "images", "height": SIZE, "width": SIZE},
        "texts": {"source": "table", "path": "texts.csv", "label": "label", "text": "text"},
    }[kind]
    return Study(name=kind, data=data, augment={"preset": preset})


def prepare_once(kind: str) -> dict[str, float]:
    """Seconds (of the wall, and of the processor) and peak memory of one call."""
    import resource

    from conf.runtime.home import Home
    from tasks.prepare import prepare

    home = Home.open()
    start, begun = time.perf_counter(), time.process_time()
    prepared = prepare(study(kind), home)
    seconds, busy = time.perf_counter() - start, time.process_time() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    stored = sum(file.stat().st_size for file in prepared.path.rglob("*") if file.is_file()) / MIB
    return {"seconds": seconds, "cpu_seconds": busy, "peak_mib": peak, "stored_mib": stored}


def loaders() -> dict[str, float]:
    """Samples a second of our loader and of a plain one, in turns, in one process."""
    import torch

    from conf.runtime.home import Home
    from data.loading.datamodule import StudyData
    from tasks.prepare import prepare

    torch.set_num_threads(1)
    made = study("images", "medium")
    prepared = prepare(made, Home.open())
    ours = StudyData(made.trial_config, prepared.card, prepared.train, None, 0)
    ours.setup()
    rates: dict[str, list[float]] = {"ours": [], "plain": []}
    for _ in range(3):
        for name, loader in (("ours", ours.train_dataloader()), ("plain", plain_loader(prepared))):
            start = time.process_time()  # one thread: what others do on the machine stays out
            rows = sum(len(batch["y"]) for batch in loader)
            rates[name].append(rows / (time.process_time() - start))
    best = {name: max(found) for name, found in rates.items()}
    return {**best, "ratio": best["ours"] / best["plain"]}


def plain_loader(prepared: Any) -> Any:
    """What one would write by hand: a data set of rows, the same transforms, torch's loader."""
    import albumentations as A
    import datasets
    import numpy as np
    import torch
    from torch.utils.data import DataLoader, Dataset

    from conf.schema.augment import Augment
    from data.transforms.images import transforms
    from data.transforms.presets import resolved

    pipeline = A.Compose(transforms(resolved(Augment(preset="medium"), "image"), 3), seed=0)
    stored = datasets.load_from_disk(str(prepared.train))
    images = stored.data.table.column("image").combine_chunks().flatten().to_numpy()
    images = np.ascontiguousarray(images.reshape(-1, SIZE, SIZE, 3))
    labels = np.array(stored["label"])

    class Plain(Dataset[dict[str, torch.Tensor]]):
        def __len__(self) -> int:
            return len(labels)

        def __getitem__(self, row: int) -> dict[str, torch.Tensor]:
            image = pipeline(image=images[row])["image"]
            x = torch.from_numpy(image.transpose(2, 0, 1).copy()).float() / 255
            return {"x": x, "y": torch.tensor(labels[row])}

    return DataLoader(Plain(), batch_size=64, shuffle=True)


def bottleneck(name: str) -> dict[str, float]:
    """Seconds of an epoch of a shipped study: its loader alone, and its training steps alone."""
    import torch

    import models
    from conf.loading.load import load_study
    from conf.runtime.home import Home
    from data.loading.datamodule import StudyData
    from tasks.prepare import prepare

    torch.set_num_threads(1)
    accepted = ["data.accept_licence=CC-BY-NC-SA-4.0"] if name == "solar-cells" else []
    loaded = load_study(name, accepted)
    config = loaded.trial_config
    prepared = prepare(loaded, Home.open())
    data = StudyData(config, prepared.card, prepared.train, None, 0)
    batches = list(data.train_dataloader())
    start = time.process_time()
    batches = list(data.train_dataloader())
    loading = time.process_time() - start
    module = models.build(config, prepared.card, 10_000)
    optimizer = torch.optim.AdamW(module.parameters())
    for timed in (batches[:3], batches):
        start = time.process_time()
        for batch in timed:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(module(batch["x"]), batch["y"]).backward()
            optimizer.step()
        training = time.process_time() - start
    return {"loader": loading, "steps": training, "share": loading / (loading + training)}


def shared_memory(trials: int) -> dict[str, float]:
    """Proportional memory of the mapped set over so many processes that all read all of it."""
    from conf.runtime.home import Home
    from tasks.prepare import prepare

    prepared = prepare(study("images"), Home.open())
    stored = sum(file.stat().st_size for file in prepared.train.glob("*.arrow")) / MIB
    command = [sys.executable, "-m", "benchmarks.data", "--reader", str(prepared.train)]
    readers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(trials)
    ]
    for reader in readers:
        assert reader.stdout is not None
        reader.stdout.readline()  # it has read everything and still has it mapped
    mapped = sum(mapped_mib(reader.pid, str(prepared.train)) for reader in readers)
    for reader in readers:
        reader.communicate("")
    return {"stored_mib": stored, "mapped_by_all_mib": mapped, "copies": mapped / stored}


def mapped_mib(pid: int, folder: str) -> float:
    """This process's share of the memory that the files of a folder take."""
    total, inside = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if line[:1].isdigit() or line[:1] in "abcdef":
            inside = folder in line
        elif inside and line.startswith("Pss:"):
            total += int(line.split()[1])
    return total / 1024


def reader(train: str) -> None:
    """Read every row of a part, say so, and wait."""
    import numpy as np

    from data.loading.split_reader import PreparedSplit

    part = PreparedSplit([Path(train)])
    column = part.vectors("image")
    for first in range(0, len(part), 256):
        column.take(np.arange(first, min(first + 256, len(part)))).sum()
    print("read", flush=True)
    sys.stdin.read()


def in_process(part: str, *arguments: str, home: Path) -> dict[str, float]:
    """One part in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "DENSE_DATA": str(home)}
    environment["DENSE_HOME"] = str(home / "home")
    command = [sys.executable, "-m", "benchmarks.data", "--part", part, *arguments]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def parts(home: Path, trials: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Every figure, one part after the other."""
    for kind in ("images", "texts"):
        for which in ("first", "second"):
            yield f"prepare {kind}, {which} time", in_process("prepare", kind, home=home)
    yield "loader, medium preset, samples a second", in_process("loaders", home=home)
    yield f"memory of {trials} trials", in_process("memory", str(trials), home=home)
    for name in ("digits", "wine", "breast-cancer", "mnist", "solar-cells"):
        yield f"an epoch of {name}, seconds", in_process("bottleneck", name, home=home)


def main() -> None:
    """Run everything, or one part of it in this process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--reader", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.reader:
        reader(given.reader)
        return
    if given.part:
        name, *arguments = given.part
        known = {"prepare": prepare_once, "loaders": loaders, "bottleneck": bottleneck}
        found = (
            shared_memory(int(arguments[0])) if name == "memory" else known[name](*arguments)  # type: ignore[operator]
        )
        print(json.dumps(found))
        return
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        write_images(home / "images", given.images)
        write_texts(home / "texts.csv", given.texts)
        for name, figures in parts(home, given.trials):
            shown = ", ".join(f"{key} {value:,.3g}" for key, value in figures.items())
            print(f"{name}: {shown}", flush=True)


if __name__ == "__main__":
    main()
