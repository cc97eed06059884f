"""One GPU with small and medium models: packing, a training step, BERT.

    python -m benchmarks.gpu [--device cuda] [--quick]

Needs torch, Lightning and transformers, but no home, study or network. Prints a table: trials per
hour with 1, 2, 4 and 8 trial processes on the GPU, and its utilisation; milliseconds per step of a
small network in Lightning and in a plain loop; tokens per second of a BERT of MiniLM's size, built
from its configuration, in float32, bfloat16 and compiled, and the share of the GPU's peak. Without
a GPU it says so and exits with 0; `--device cpu --quick` runs a small version of every part on the
CPU.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import subprocess
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L4": 121e12, "T4": 65e12}
"""Dense bfloat16 (T4: float16) operations a second that the makers name."""
TOKENS = 128
"""Length of a text."""


@dataclass(frozen=True)
class Size:
    """How much is done."""

    device: str
    packs: tuple[int, ...] = (1, 2, 4, 8)
    steps: int = 2_000
    """Of a trial that is packed."""
    timed: int = 300
    """Steps that are timed one after the other."""
    texts: tuple[int, ...] = (32, 256)
    """Texts of a batch."""
    layers: int = 12


def small_net() -> nn.Module:
    """A network for images of 28 x 28, like `model.kind: cnn`."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.GroupNorm(8, 32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.GroupNorm(8, 64),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(4),
        nn.Flatten(),
        nn.Linear(1024, 10),
    )


def batch(device: str, rows: int = 64) -> tuple[Tensor, Tensor]:
    """Noise with labels."""
    return (
        torch.randn(rows, 1, 28, 28, device=device),
        torch.randint(10, (rows,), device=device),
    )


def plain_steps(net: nn.Module, data: tuple[Tensor, Tensor], steps: int) -> None:
    """A plain loop."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        functional.cross_entropy(net(data[0]), data[1]).backward()
        optimizer.step()


def wait_for(device: str) -> None:
    """Wait until the device has done what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()


def seconds(work: Callable[[], object], device: str) -> float:
    """How long something takes on the device."""
    wait_for(device)
    begun = time.perf_counter()
    work()
    wait_for(device)
    return time.perf_counter() - begun


# Packing


def packed_trial(device: str, steps: int, ready: Any) -> None:
    """A process that trains, once all are ready."""
    torch.set_num_threads(1)
    net, data = small_net().to(device), batch(device)
    plain_steps(net, data, 20)
    wait_for(device)
    ready.wait()
    plain_steps(net, data, steps)
    wait_for(device)
    ready.wait()


@dataclass
class Use:
    """How busy the GPU is, looked at now and then while something runs."""

    device: str
    seen: list[float] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Use:
        if self.device == "cuda":
            threading.Thread(target=self._look, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def _look(self) -> None:
        query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        while not self._over.wait(0.5):
            answer = subprocess.run(query, capture_output=True, text=True, check=False).stdout
            if answer.strip():
                self.seen.append(float(answer.split()[0]))

    def __str__(self) -> str:
        return f"{sum(self.seen) / len(self.seen):.0f} %" if self.seen else "-"


def packing(size: Size) -> list[tuple[str, str, str]]:
    """Trials an hour by how many there are at once."""
    rows = []
    alone = 0.0
    for count in size.packs:
        context = multiprocessing.get_context("spawn")
        ready = context.Barrier(count + 1)
        arguments = (size.device, size.steps, ready)
        trials = [context.Process(target=packed_trial, args=arguments) for _ in range(count)]
        for trial in trials:
            trial.start()
        ready.wait()
        begun = time.perf_counter()
        with Use(size.device) as use:
            ready.wait()
        took = time.perf_counter() - begun
        for trial in trials:
            trial.join()
        rate = count * 3600 / took
        alone = alone or rate
        note = f"{rate / alone:.2f} x alone, GPU busy {use}"
        rows.append((f"trials of {size.steps} steps an hour, {count} at once", f"{rate:.0f}", note))
    return rows


# A step


def lightning_steps(device: str, steps: int) -> Callable[[], object]:
    """The same steps by a Trainer that does nothing else."""
    import pytorch_lightning as pl

    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = small_net()

        def training_step(self, data: tuple[Tensor, Tensor], index: int) -> Tensor:
            return functional.cross_entropy(self.net(data[0]), data[1])

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW(self.parameters(), lr=1e-3)

    data = DataLoader([batch(device)] * steps, batch_size=None)  # type: ignore[arg-type]
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="gpu" if device == "cuda" else "cpu",
        devices=1,
        logger=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    module = Module()
    return lambda: trainer.fit(module, data)


def steps(size: Size) -> list[tuple[str, str, str]]:
    """Milliseconds of a step."""
    net, data = small_net().to(size.device), batch(size.device)
    plain_steps(net, data, 20)
    plain = seconds(lambda: plain_steps(net, data, size.timed), size.device) / size.timed
    few = seconds(lightning_steps(size.device, 10), size.device)
    many = seconds(lightning_steps(size.device, 10 + size.timed), size.device)
    lightning = (many - few) / size.timed
    return [
        ("step of a small network, plain loop, ms", f"{plain * 1e3:.2f}", ""),
        ("the same by Lightning, ms", f"{lightning * 1e3:.2f}", f"{lightning / plain:.2f} x plain"),
    ]


# BERT


def bert(size: Size) -> list[tuple[str, str, str]]:
    """Tokens a second of training."""
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        hidden_size=384,
        num_hidden_layers=size.layers,
        num_attention_heads=12,
        intermediate_size=1536,
    )
    rows = []
    for texts in size.texts:
        for name, dtype, compiled in (
            ("float32", None, False),
            ("bfloat16", torch.bfloat16, False),
            ("bfloat16, compiled", torch.bfloat16, True),
        ):
            torch.manual_seed(0)
            net = BertForSequenceClassification(config).to(size.device)
            inner = sum(p.numel() for p in net.bert.encoder.parameters())
            ran = torch.compile(net) if compiled else net
            run = one_run(ran, net, texts, dtype, config.vocab_size, size)
            rate = texts * TOKENS / run
            # Six operations a weight and token, and attention's own.
            work = 6 * inner + 12 * config.num_hidden_layers * config.hidden_size * TOKENS
            label = f"BERT of {inner / 1e6:.0f} M, {texts} x {TOKENS}, {name}, tokens a second"
            rows.append((label, f"{rate:,.0f}", share(rate * work, size.device)))
    return rows


def one_run(
    net: Any, plain: nn.Module, texts: int, dtype: torch.dtype | None, words: int, size: Size
) -> float:
    """Seconds of a training step, after the first few."""
    ids = torch.randint(words, (texts, TOKENS), device=size.device)
    labels = torch.randint(2, (texts,), device=size.device)
    optimizer = torch.optim.AdamW(plain.parameters(), lr=1e-5, fused=size.device == "cuda")

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(size.device, dtype=dtype, enabled=dtype is not None):
            loss = net(input_ids=ids, labels=labels).loss
        loss.backward()
        optimizer.step()

    for _ in range(3):
        step()
    count = max(2, size.timed // 15)
    return seconds(lambda: [step() for _ in range(count)], size.device) / count


def share(operations: float, device: str) -> str:
    """Of the GPU's peak in bfloat16, where that is known."""
    if device != "cuda":
        return ""
    name = torch.cuda.get_device_name()
    peak = next((peak for known, peak in PEAKS.items() if known in name), None)
    rate = f"{operations / 1e12:.1f} TFLOP/s"
    return rate if peak is None else f"{rate}, {operations / peak:.1%} of the peak in bfloat16"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--quick", action="store_true", help="little of everything")
    given = parser.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        print("no GPU is visible here; `--device cpu --quick` runs the same code small on the CPU")
        return
    size = Size(given.device)
    if given.quick:
        size = Size(given.device, packs=(1, 2), steps=20, timed=20, texts=(2,), layers=1)
    name = torch.cuda.get_device_name() if given.device == "cuda" else "CPU"
    print(f"{name}, torch {torch.__version__}")
    print("| what | measured | |\n|---|---|---|")
    for part in (packing, steps, bert):
        for row in part(size):
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
