"""Execute notebooks in place: ``python -m tests.notebooks.execute [notebook …]``, all of them by default.

Cell ids, tags and metadata stay. What would make the file large or different each time goes: the widgets'
state (a panel's picture is stored beside it), and the times of execution. Pictures have few colors; where a
lesson has three explorers or more, theirs are smaller.
"""

from __future__ import annotations

import base64
import io
import os
import sys
from pathlib import Path

import nbformat
import numpy as np
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

from optviz._clock import human_bytes, human_seconds, stopwatch
from optviz._files import write_atomic

__all__ = ["execute", "main", "stripped"]

FOLDER = Path(__file__).parents[2] / "notebooks"
ROOM = 88_000  # characters for the pictures of all explorers of a lesson, where it has three or more
SHARP, GAP = 1300, 24  # pixels: wider pictures have double resolution; white rows between two panels in them


def execute(path: Path) -> None:
    """Run all cells in a fresh kernel and store the outputs; the file is unchanged if a cell fails."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        store_widget_state=False,
        record_timing=False,
    )
    client.execute()
    write_atomic(path, (nbformat.writes(stripped(notebook)) + "\n").encode())


def stripped(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook without widget state, times, and the patch number of the Python that ran it."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)
            for output in cell.outputs:
                _shrink(output.get("data", {}))
    shown = [
        output.data
        for cell in notebook.cells
        if "explorer" in cell.metadata.get("tags", [])
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    for data in shown if len(shown) > 2 else ():
        _halve(data, ROOM // len(shown))
    return notebook


def main(words: list[str]) -> int:
    """Execute the named notebooks, or all; the exit code is 1 if a cell failed."""
    paths = [Path(word).absolute() for word in words] or sorted(FOLDER.glob("*.ipynb"))
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    os.environ.pop("MPLBACKEND", None)  # or the kernels would show no pictures
    failed = 0
    for path in paths:
        try:
            with stopwatch() as watch:
                execute(path)
        except CellExecutionError as error:
            failed += 1
            print(f"{path.name}: FAILED, the file is unchanged\n{error}", flush=True)
            continue
        print(f"{path.name}: {human_seconds(watch.seconds)}, {human_bytes(path.stat().st_size)}", flush=True)
    return int(failed > 0)


def _shrink(data: dict) -> None:
    """A stored PNG with at most 64 colors: a drawing looks the same and takes a third of the bytes."""
    if "image/png" not in data:
        return
    stored = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    if stored.mode == "P":
        return  # it has been through this before
    picture = stored.convert("RGBA")
    paper = Image.new("RGBA", picture.size, "white")
    buffer = io.BytesIO()
    Image.alpha_composite(paper, picture).convert("RGB").quantize(64).save(buffer, "PNG", optimize=True)
    small = base64.b64encode(buffer.getvalue()).decode()
    if len(small) < len(data["image/png"]):
        data["image/png"] = small


def _halve(data: dict, most: int) -> None:
    """An explorer's picture at single resolution, and only those upper panels that fit into ``most``."""
    stored = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    if stored.width < SHARP:
        return  # it has been through this before
    picture = stored.convert("RGB")
    blank = np.asarray(picture.convert("L")).min(axis=1) >= 250
    ends = [y for y in range(GAP, picture.height) if blank[y - GAP : y].all() and not blank[y]]
    for end in [picture.height, *reversed(ends)]:
        part = picture.crop((0, 0, picture.width, end))
        buffer = io.BytesIO()
        small = part.resize((part.width // 2, end // 2), Image.Resampling.LANCZOS)
        small.quantize(palette=stored, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
        data["image/png"] = base64.b64encode(buffer.getvalue()).decode()
        if len(data["image/png"]) <= most:
            return


def _joined(outputs: list) -> list:
    """Pieces of one stream in one output: how they are cut depends on timing."""
    joined: list = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output.output_type == "stream" and last.get("name") == output.get("name"):
            last.text += output.text
        else:
            joined.append(output)
    return joined


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
