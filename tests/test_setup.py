"""The files around the package agree with each other: what is installed, where, and what the README says."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from optviz.cli.catalog import Lesson, read
from tests import readme
from tests.bench.__main__ import holds, promise, table
from tests.demand import demanded

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA_NAMES = {"pytorch-cpu": "torch", "matplotlib-base": "matplotlib"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(*extras: str) -> dict[str, SpecifierSet]:
    lines, found = [*PROJECT["dependencies"]], {}
    for extra in extras:
        lines += PROJECT["optional-dependencies"][extra]
    for r in map(Requirement, lines):  # an extra may stand for others: optviz[onnx]
        found |= requirements(*r.extras) if r.name == "optviz" else {normal(r.name): r.specifier}
    return found


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"]
    assert lines == sorted(lines, key=lambda line: line.split("==")[0].lower())
    return {normal(name): version for name, version in (line.split("==") for line in lines)}


def conda() -> dict[str, SpecifierSet]:
    text = yaml.safe_load((ROOT / "binder" / "environment.yml").read_text())
    found = {}
    for line in text["dependencies"]:
        name, specifier = re.fullmatch(r"([\w.-]+)(.*)", line).groups()
        found[CONDA_NAMES.get(name, normal(name))] = SpecifierSet(re.sub(r"^=(?!=)", "==", specifier) or "")
    return found


def floor(specifier: SpecifierSet) -> str | None:
    return next((s.version for s in specifier if s.operator == ">="), None)


def test_constraints_pin_the_top_level_and_nothing_else() -> None:
    wanted = requirements("lab", "test", "bench")
    assert set(pins()) == set(wanted)
    for name, version in pins().items():
        assert version in wanted[name], f"{name}=={version} is not {wanted[name]}"
    assert pins()["torch"] == "2.13.0"


def test_package_sets_floors_only() -> None:
    for name, specifier in requirements().items():
        assert [s.operator for s in specifier] == [">="], f"{name}{specifier}: Colab ships what it ships"
    assert str(requirements()["torch"]) == ">=2.6"
    assert str(requirements()["ipywidgets"]) == ">=7.7"
    assert str(requirements("lab")["ipykernel"]) == "<7"
    assert PROJECT["requires-python"] == ">=3.11,<3.14"


def test_binder_agrees_with_pyproject_and_constraints() -> None:
    wanted, there = requirements("lab"), conda()
    python = there.pop("python")
    assert str(python) == "==3.12"
    assert set(there) - {"pip", "setuptools"} == set(wanted)
    for name, specifier in wanted.items():
        assert floor(there[name]) == floor(specifier), name
        assert pins()[name] in there[name], f"the tested {name}=={pins()[name]} is not {there[name]}"


def test_binder_files() -> None:
    for name in ("postBuild", "start"):
        path = ROOT / "binder" / name
        assert path.read_text().startswith("#!/usr/bin/env bash\n")
        subprocess.run(["bash", "-n", path], check=True)
        if os.name == "posix":
            assert path.stat().st_mode & stat.S_IXUSR
    # repo2docker would ignore these beside an environment.yml, so they would only mislead.
    for name in ("requirements.txt", "runtime.txt", "Dockerfile"):
        assert not (ROOT / "binder" / name).exists()
        assert not (ROOT / name).exists()
    assert "--no-deps" in (ROOT / "binder" / "postBuild").read_text()


def test_binder_starts_with_one_thread() -> None:
    command = [
        ROOT / "binder" / "start",
        sys.executable,
        "-c",
        "import os; print(os.environ['OMP_NUM_THREADS'])",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "8"}
    assert subprocess.run(command, env=environment, capture_output=True, text=True).stdout == "1\n"


def test_repo2docker_accepts_it(tmp_path: Path) -> None:
    """It writes a Dockerfile that uses our three files; the rules above hold where it cannot run."""
    shutil.copytree(ROOT / "binder", tmp_path / "binder")
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    out = done.stdout + done.stderr
    assert done.returncode == 0, out
    assert "Building conda environment for python=3.12" in out
    for needed in ("binder/environment.yml", "binder/postBuild", "binder/start"):
        assert needed in out, out
    assert "FROM " in out


def test_version_stands_in_one_place() -> None:
    from importlib.metadata import version

    import optviz

    assert PROJECT["dynamic"] == ["version"]
    assert version("optviz") == optviz.__version__


def test_ci_runs_the_command_of_the_readme() -> None:
    script = ROOT / ".ci" / "run"
    lines = [line for line in script.read_text().splitlines() if line and line[0] != "#"]
    assert lines[-1] == "make test"
    assert "make test" in (ROOT / "README.md").read_text()
    assert any(line == "export OPTVIZ_DEMAND=chromium,network-denied" for line in lines)
    assert script.stat().st_mode & stat.S_IXUSR


def test_demand_knows_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPTVIZ_DEMAND", "chromium, network-denied")
    assert demanded("chromium")
    monkeypatch.setenv("OPTVIZ_DEMAND", "")
    assert not demanded("chromium")
    monkeypatch.setenv("OPTVIZ_DEMAND", "chrome")
    with pytest.raises(
        ValueError, match="OPTVIZ_DEMAND must name some of chromium, network-denied, got 'chrome'"
    ):
        demanded("chromium")


def make(*words: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(["make", *words], cwd=folder, capture_output=True, text=True, env=environment)


def test_make_alone_lists_the_commands() -> None:
    out = make().stdout
    for word in ("lab", "test", "lint", "notebooks", "bench", "badges", "help"):
        assert re.search(rf"^  make {word} +\w", out, re.MULTILINE), out


def test_make_without_a_fitting_python_says_so(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()
    done = make("lab", "PYTHON=", folder=tmp_path)
    assert done.returncode != 0
    assert "No Python 3.11, 3.12 or 3.13 with venv was found" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_make_installs_only_when_something_changed(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("pyproject.toml", "constraints.txt", ".venv/bin/python", ".venv/.lab"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert "pip install" not in make("-n", "lab", folder=tmp_path).stdout
    (tmp_path / ".venv/bin/python").unlink()
    shutil.rmtree(tmp_path / ".venv")
    out = make("-n", "lab", folder=tmp_path).stdout
    assert "-m venv .venv" in out
    assert '-c constraints.txt  -e ".[lab]"' in out


def test_hooks_are_local() -> None:
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [r["repo"] for r in repositories] == ["local"]
    assert {h["id"] for h in repositories[0]["hooks"]} == {
        "ruff-check",
        "ruff-format",
        "mypy",
        "lint-imports",
    }


def test_readme_links_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text()
    for link in re.findall(r"\]\(([^)]+)\)", text):
        if not link.startswith("https://"):
            assert (ROOT / link.split("#")[0]).exists(), link


def test_readme_commands_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = set(re.findall(r"`make ([a-z-]+)", (ROOT / "README.md").read_text()))
    assert used <= targets


def test_readme_parts_are_current() -> None:
    text = (ROOT / "README.md").read_text()
    parts = {
        "badges": readme.badges(readme.address(), "00_start_here.ipynb"),
        "lessons": readme.lesson_table(read(ROOT / "notebooks")),
        "results": readme.result_table(),
    }
    for name, content in parts.items():
        assert readme.filled(text, name, content) == text, f"stale {name}: see README, 'To add a technique'"


def test_parts_need_their_markers() -> None:
    text = "a\n<!-- x:start -->\nold\n<!-- x:end -->\nb"
    assert readme.filled(text, "x", "new") == "a\n<!-- x:start -->\nnew\n<!-- x:end -->\nb"
    for bad in ("", text * 2, "<!-- x:end --><!-- x:start -->"):
        with pytest.raises(ValueError, match="exactly once"):
            readme.filled(bad, "x", "new")


def test_address_reaches_the_notebook_once() -> None:
    cells = [
        nbformat.v4.new_markdown_cell("# 04 Rates\n\nWhich?"),
        nbformat.v4.new_code_cell('%pip install -q "optviz @ git+https://example.org/a/b"'),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    once = readme.with_address(notebook, "04_x.ipynb", "https://github.com/me/mine")
    sources = [cell.source for cell in once.cells]
    assert sources[0].startswith("# 04 Rates\n\n<!-- badges:start -->\n[![Open in Binder]")
    assert "v2/gh/me/mine/HEAD?urlpath=lab/tree/notebooks/04_x.ipynb" in sources[0]
    assert sources[0].endswith("Which?")
    assert sources[1] == '%pip install -q "optviz @ git+https://github.com/me/mine"'
    twice = readme.with_address(once, "04_x.ipynb", "https://github.com/me/mine")
    assert [cell.source for cell in twice.cells] == sources


def test_address_must_be_one_that_binder_opens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(readme, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").write_text('[project.urls]\nRepository = "https://example.org/x"')
    with pytest.raises(ValueError, match=r"Repository must be https://github\.com/OWNER/NAME"):
        readme.address()


def test_lesson_table() -> None:
    out = readme.lesson_table([Lesson("04_x.ipynb", "Rates", 25, "when to change the rate")])
    assert out.endswith("| [04 Rates](notebooks/04_x.ipynb) | 25 | when to change the rate |")


@pytest.mark.parametrize(
    ("limit", "ratio", "kept"),
    [
        (">= 15", 15, True),
        (">=15", 14.9, False),
        ("≤ 1.05", 1.05, True),
        ("<= 1.05", 1.06, False),
        (None, 3, True),
    ],
)
def test_bench_limits(limit: str | None, ratio: float, kept: bool) -> None:
    row = {"name": "x", "ours": 0.1, "reference": "1.5 s", "ratio": ratio, "limit": limit, "note": "a|b"}
    assert holds(row) is kept
    assert "| x | 100 ms | 1.5 s |" in table([row])
    assert "a\\|b" in table([row])


def test_bench_limit_in_words() -> None:
    assert promise({"limit": "at most", "target": 1.05}) == ("≤", 1.05)
    assert promise({"limit": "at most", "target": None}) is None


def test_bench_limit_must_be_readable() -> None:
    with pytest.raises(ValueError, match="limit must be like '>= 15'"):
        holds({"ratio": 1, "limit": "fast"})
