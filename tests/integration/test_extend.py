"""What `docs/extend.md` says works: its parts, added to a copy of the project, run in a study."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("conf", "data", "models", "tasks", "flows")
BLOCK = re.compile(r"```python\n# (in )?(\S+)\n(.*?)```", re.DOTALL)

# File, what stands there, what stands there afterwards: the lines that the page asks for.
LINES = [
    (
        "conf/schema/evaluate.py",
        "MoreIsBetter = Literal[\n",
        'MoreIsBetter = Literal[\n"worst_recall",\n',
    ),
    ("conf/schema/model.py", "Model = Annotated[", "Model = Annotated[Flat | "),
    ("conf/schema/data.py", "    BuiltinData | ", "    NpzData | BuiltinData | "),
    ("conf/schema/augment.py", "    rotate: Rotate | None = None\n",
     "    invert: Invert | None = None\n    rotate: Rotate | None = None\n"),
    ("data/transforms/presets.py", '"image": (\n', '"image": (\n        "invert",\n'),
]  # fmt: skip
# Where a class of settings goes: before the first of these that the file has.
BEFORE = ("\nModel = Annotated[", "\nData = Annotated[", "\nclass Augment(")

STUDY = """
extends: base
name: own
data: {source: npz, path: digits.npz}
augment: {invert: {p: 1.0}}
model: {kind: flat, units: 16}
train: {epochs: 2, batch_size: 32, lr: 1e-2}
evaluate: {objective: worst_recall, metrics: [worst_recall, accuracy]}
search:
  trials: 2
  space:
    model.units: {low: 8, high: 32, type: int}
    augment.invert.p: {low: 0.0, high: 1.0}
"""


def blocks() -> list[tuple[bool, str, str]]:
    """The page's pieces of code: whether it goes into a file that is there, the file, the code."""
    page = (ROOT / "docs" / "extend.md").read_text(encoding="utf-8")
    return [(bool(into), path, code) for into, path, code in BLOCK.findall(page)]


def changed(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path} has no {old!r}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the page's parts in it, and a study that uses them."""
    tree = tmp_path_factory.mktemp("copy")
    for room in ROOMS:
        shutil.copytree(ROOT / room, tree / room, ignore=shutil.ignore_patterns("__pycache__"))
    for into, name, code in blocks():
        if not into:
            (tree / name).write_text(code, encoding="utf-8")
            continue
        text = (tree / name).read_text(encoding="utf-8")
        mark = next(mark for mark in BEFORE if mark in text)
        changed(tree / name, mark, f"\n{code}\n{mark}")
    for name, old, new in LINES:
        changed(tree / name, old, new)
    given = np.random.default_rng(0)
    labels = np.arange(120) % 3
    images = given.integers(0, 60, (120, 8, 8), dtype=np.uint8)
    images[np.arange(120), labels, :] += 180  # a bright line says which class it is
    (tree / "files").mkdir()
    np.savez(tree / "files" / "digits.npz", images=images, labels=labels)
    (tree / "own.yaml").write_text(STUDY, encoding="utf-8")
    return tree


def run(copy: Path, *command: str) -> str:
    """Run the copy, whichever project is installed; what it printed."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(copy),
        "DENSE_HOME": str(copy / "home"),
        "DENSE_DATA": str(copy / "files"),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, *command], cwd=copy, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_study_of_own_parts_is_checked_and_tried(copy: Path) -> None:
    said = run(copy, "-m", "flows.cli.main", "check", "own.yaml", "--try")
    for part in ("npz", "flat, units 16", "worst_recall, to maximize", "augment.invert.p"):
        assert part in said
    assert "one step and a validation of trial 0" in said
    cards = list((copy / "home" / "data").glob("*/card.json"))
    assert [json.loads(card.read_text())["counts"]["train"] for card in cards] == [
        {"0": 24, "1": 24, "2": 24}
    ]


def test_the_change_reaches_what_the_model_sees(copy: Path) -> None:
    script = (
        "from conf.schema.augment import Augment, Invert\n"
        "import numpy as np\n"
        "from data.transforms.images import Pipeline\n"
        "black = np.zeros((8, 8, 1), np.uint8)\n"
        "print(Pipeline(Augment(invert=Invert(p=1.0)), 0, 1)(black, 0, 0).min())\n"
    )
    assert run(copy, "-c", script).split() == ["255"]


def test_the_reference_page_tells_of_them(copy: Path) -> None:
    page = run(copy, "-m", "conf.loading.reference")
    for line in ("### data: `source: npz`", "### model: `kind: flat`", "### augment.invert"):
        assert line in page.splitlines()
    assert "`worst_recall`" in page


def test_a_kind_of_model_is_known_by_its_row(copy: Path) -> None:
    script = "from conf.loading.reference import kinds\nprint(*kinds(), sep='\\n')\n"
    lines = run(copy, "-c", script).splitlines()
    assert any(line.startswith("| `flat` | images | ") for line in lines)


def test_a_kind_of_model_is_refused_for_other_data(copy: Path) -> None:
    script = (
        "from conf.runtime.errors import BadInput\n"
        "from conf.schema.model import check_data_kind\n"
        "try:\n"
        "    check_data_kind('flat', 'table')\n"
        "except BadInput as error:\n"
        "    print(error)\n"
    )
    printed = run(copy, "-c", script)
    assert "model.kind: flat does not take data of kind table; use mlp or" in printed


def test_the_project_itself_knows_none_of_them() -> None:
    names = [ROOT / name for into, name, _ in blocks() if not into]
    assert len(names) == 4 and not any(path.exists() for path in names)
