"""The browser finder: what it takes, what it passes over, and when its absence is an error."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import chromium

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the stand-ins are shell scripts")


def program(folder: Path, name: str, code: int) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\nexit {code}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any browser, where nothing can be installed."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "own"))
    monkeypatch.setattr(chromium, "_run", lambda command, environment: None)
    return tmp_path


def test_path_comes_first(bare: Path) -> None:
    program(bare / "own", "chromium-1200/chrome-linux/chrome", 0)
    own = program(bare / "bin", "chromium", 0)
    assert chromium.find_chromium() == str(own)


def test_a_stub_that_does_not_start_is_passed_over(bare: Path) -> None:
    program(bare / "bin", "chromium-browser", 1)
    own = program(bare / "own", "chromium-1200/chrome-linux/chrome", 0)
    assert chromium.find_chromium() == str(own)


@pytest.mark.parametrize(("demand", "code"), [("", 0), ("chromium", 1)])
def test_none_is_one_clear_line(
    bare: Path, demand: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPTVIZ_DEMAND", demand)
    assert chromium.main() == code
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "Chromium: none on PATH and none can be installed here, so the browser tests are left out."
    ]
