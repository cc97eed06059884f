"""The README and the pages below `docs/` say what is so."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from conf.loading.load import load_study, study_names
from conf.schema.evaluate import OF_TASK
from flows.cli.main import app
from tests.unit.test_imports import LAYERS, MODULES

ROOT = Path(__file__).resolve().parents[2]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
PROMISES = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
MODELS = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
STUDIES = re.findall(r"```yaml\n(extends:.*?)```", MODELS, re.DOTALL)
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "benchmarks" / "README.md",
]


def blocks(language: str) -> list[str]:
    """Pieces of code of one language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_every_command_is_told_and_every_told_one_exists() -> None:
    known = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    assert set(re.findall(r"^\| `dense (\w+)", COMMANDS, re.MULTILINE)) == known
    first = re.findall(r"^\| `dense (\w+)", README, re.MULTILINE)
    assert len(first) == 10 and set(first) <= known
    assert f"All {len(known)} commands" in README


def test_told_options_exist() -> None:
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    rows = re.findall(r"^\| `dense (\w+)(.*?)` \|", README + COMMANDS, re.MULTILINE)
    for name, rest in rows:
        options = {option for each in commands[name].params for option in each.opts}
        assert set(re.findall(r"--[\w-]+", rest)) <= options, name


def test_the_study_is_one(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(blocks("yaml")[0])
    study = load_study(str(file), allow_path=True)
    assert study.name == "mine" and len(study.search.space) == 3


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.split("\nname: ")[1].split()[0])
def test_studies_of_pages_are_such(study: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(study)
    assert load_study(str(file), allow_path=True).search.space


def test_pages_name_every_metric() -> None:
    scores = MODELS.partition("## Scores")[2]
    for known in OF_TASK.values():
        for name in known:
            stem, _, mean = name.partition("_")
            shown = f"f1_{mean}" if stem in ("precision", "recall") and mean else name
            assert f"`{shown}`" in scores, name


def test_overrides_are_taken() -> None:
    lines = re.findall(r"`(dense run digits [^`]+)`", README)
    assert lines
    for line in lines:
        words = shlex.split(line)[2:]
        overrides = [word for word in words[1:] if "=" in word]
        assert load_study(words[0], overrides).name == "wide"


def test_shipped_studies_are_told() -> None:
    told = README[README.index("Shipped studies:") :].split("\n\n")[0]
    told = told.partition("Models:")[0]
    assert set(re.findall(r"`([a-z-]+)`", told)) == set(study_names())


def test_the_search_is_usable_alone() -> None:
    code = next(code for code in blocks("python") if "Optimizer" in code)
    seen: dict[str, Any] = {"train": lambda lr, act: (lr - 0.01) ** 2 + (act == "relu")}
    exec(compile(code, "README.md", "exec"), seen)
    assert len(seen["optimizer"].result().x) == 2


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target.partition("#")[0]).exists(), target


def test_the_modules_that_pages_name_exist() -> None:
    for page in PAGES:
        for name in re.findall(
            r"`((?:conf|data|models|tasks|flows|tests)/[\w/.]+)`", page.read_text()
        ):
            assert (ROOT / name).exists(), f"{page.name}: {name}"


def test_contributing_lists_every_room() -> None:
    listed = set(re.findall(r"^\| `([\w/]+)` \|", CONTRIBUTING, re.MULTILINE))
    folders = {str(path.parent.relative_to(ROOT)) for path in MODULES.values()}
    rooms = {folder for folder in folders if folder.count("/") == 1}
    assert listed == rooms | {"conf/studies"}


def test_contributing_lists_the_layers_that_are_asserted() -> None:
    section = CONTRIBUTING.partition("## Layers")[2]
    block = re.findall(r"```\n(.*?)```", section, re.DOTALL)[0]
    assert [tuple(line.split(", ")) for line in block.splitlines()] == list(LAYERS)


def test_every_promise_names_a_test_that_ci_runs() -> None:
    for page in (README, PROMISES):
        rows = re.findall(r"^\| ([A-Z`].*) \| (.*test_.*) \|$", page, re.MULTILINE)
        assert len(rows) >= 6
        for promise, proof in rows:
            files = re.findall(r"\((?:\.\./)?(tests/[\w/]+\.py)\)", proof)
            assert any(_has_short_test(ROOT / file) for file in files), promise


def _has_short_test(path: Path) -> bool:
    """Whether a file has a test that is not marked `long`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    whole = [node for node in tree.body if isinstance(node, ast.Assign)]
    if any(
        "pytestmark" in ast.unparse(node) and "mark.long" in ast.unparse(node) for node in whole
    ):
        return False
    tests = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    tests = [node for node in tests if node.name.startswith("test_")]
    long = [
        node for node in tests
        if any(ast.unparse(each).endswith("mark.long") for each in node.decorator_list)
    ]  # fmt: skip
    return len(long) < len(tests)


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 170
