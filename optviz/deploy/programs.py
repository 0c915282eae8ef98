"""A network as a program of tensor operations, without its Python code: ``torch.export``."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from optviz._knobs import require
from optviz.deploy.packages import quiet

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["close", "example_of", "export", "floats", "one_line", "resting", "traced"]

CLOSE = 1e-5  # largest difference of outputs, as a share of the largest output where that is above 1


def export(model: nn.Module, example: Any) -> torch.export.ExportedProgram:
    """The network as a list of tensor operations with its weights, for batches of any size.

    The network is run once on stand-ins for tensors, and what it does is written down; its Python code is not
    needed any more. ``torch.export.save(program, "net.pt2")`` stores it, ``torch.export.load`` reads it back,
    and ``program.module()`` is a module again. The program is in evaluation mode: dropout is off.

    Args:
        model: any module with one input and one output; it stays as it was.
        example: (N, …) a batch that it takes; only shape and type matter, and any number of rows may come.

    Returns:
        The program, on the CPU. Its outputs on the example, on one row and on one row more are those of the
        network to 1e-5.

    Raises:
        TypeError: if ``model`` is no ``torch.nn.Module``.
        ValueError: if the network doesn't take the example, or cannot be written down (such as an ``if`` that
            depends on the numbers, or a fixed batch size); the message says what ``torch.export`` said.

    Example:
        >>> import torch
        >>> program = export(torch.nn.Linear(4, 3), torch.zeros(2, 4))
        >>> [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
        ['aten.linear.default']
        >>> program.module()(torch.zeros(7, 4)).shape
        torch.Size([7, 3])

    Reference: Ansel and others, PyTorch 2, 2024, doi:10.1145/3620665.3640366; pytorch.org/docs, torch.export.
    """
    model = resting(model, "export")
    x = example_of(model, example, "export.example")
    program = traced(model, x, "export")
    with quiet():
        run = program.module()
    close(model, run, x, "export.model")
    return program


def traced(model: nn.Module, x: torch.Tensor, function: str) -> torch.export.ExportedProgram:
    """The program of a resting network for a batch of any size.

    Raises:
        ValueError: if the network cannot be written down.
    """
    import torch

    x = x if len(x) > 1 else torch.cat([x, x])  # a size of 1 would be taken as fixed
    try:
        with quiet(), torch.no_grad():
            return torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    except Exception as error:  # of many kinds
        rule = "a network that torch.export can write down for batches of any size"
        raise ValueError(f"{function}.model must be {rule}, got: {one_line(error)}") from error


def resting(model: Any, function: str) -> nn.Module:
    """A copy of the network on the CPU, in evaluation mode.

    Raises:
        TypeError: if it is no module.
    """
    from torch import nn

    if not isinstance(model, nn.Module):
        raise TypeError(f"{function}.model must be a torch.nn.Module, got {model!r:.80}")
    return copy.deepcopy(model).cpu().eval()


def example_of(model: nn.Module, example: Any, name: str) -> torch.Tensor:
    """The example as a tensor on the CPU, after the network has taken it.

    Raises:
        ValueError: if it is no batch of finite floating-point numbers, the network doesn't take it, or what
            comes out is not one finite tensor with as many rows.
    """
    import torch

    x = floats(example, name).to(next((p.dtype for p in model.parameters()), torch.float32))
    try:
        with torch.no_grad():
            y = model(x)
    except (RuntimeError, ValueError, TypeError) as error:
        got = f"shape {tuple(x.shape)}: {one_line(error)}"
        raise ValueError(f"{name} must be a batch that the network takes, got {got}") from error
    fits = isinstance(y, torch.Tensor) and y.ndim > 0 and len(y) == len(x)
    require(fits, name, "a batch for which the network gives one tensor with as many rows", type(y).__name__)
    require(bool(y.isfinite().all()), name, "one for which the outputs are finite", "NaN or infinity")
    return x


def floats(batch: Any, name: str) -> torch.Tensor:
    """Inputs as a tensor on the CPU.

    Raises:
        ValueError: if it is no batch of finite floating-point numbers.
    """
    import torch

    x = batch.detach().cpu() if isinstance(batch, torch.Tensor) else torch.from_numpy(np.array(batch))
    fits = x.is_floating_point() and x.ndim > 1 and x.numel() > 0
    require(fits, name, "a batch of inputs (N, …), floats", f"{x.dtype} of shape {tuple(x.shape)}")
    require(bool(x.isfinite().all()), name, "finite", "NaN or infinity")
    return x


def close(model: nn.Module, run: Any, x: torch.Tensor, name: str) -> None:
    """Refuse a translation whose outputs differ on the batch, on one row of it, or on one row more.

    Raises:
        ValueError: if they differ by more than 1e-5.
    """
    import torch

    with torch.no_grad():
        for batch in (x, x[:1], torch.cat([x, x[:1]])):
            ours, theirs = model(batch), torch.as_tensor(run(batch))
            require(
                ours.shape == theirs.shape, name, f"translated to shape {tuple(ours.shape)}", theirs.shape
            )
            gap = float((ours - theirs).abs().max() / ours.abs().max().clamp(min=1))
            require(gap <= CLOSE, name, f"translated to outputs that are equal to {CLOSE:g}", gap)


def one_line(error: BaseException) -> str:
    """What an error says, in at most 300 characters of one line."""
    said = " ".join(str(error).split()) or type(error).__name__
    return said if len(said) <= 300 else said[:299] + "…"
