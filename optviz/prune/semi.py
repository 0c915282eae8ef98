"""2:4 sparsity in the hardware that is made for it: linear layers in torch's semi-structured kernel."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any

from optviz._knobs import require
from optviz._rows import Of

if TYPE_CHECKING:
    import torch

__all__ = ["semi_structured"]

ROWS, COLUMNS = 32, 64  # outputs and inputs come in multiples of these, whichever kernel torch has
CAPABILITY = (8, 0)  # of the first GPUs with sparse tensor cores, Ampere
TYPES = ("float16", "bfloat16")


def semi_structured(model: torch.nn.Module, of: Of = None) -> torch.nn.Module:
    """A copy of a model whose 2:4 sparse linear layers multiply in the GPU's sparse tensor cores.

    Such a layer stores the 2 weights of each 4 that may differ from 0, and 2 bits for the place of each: 9/16
    of the dense bytes at 16 bits. Its kernel skips the other products, at up to twice the rate of a dense
    one; what a small layer gains must be measured (``ledger.latencies``). The copy is for inference.

    Args:
        model: weights in float16 or bfloat16 on a CUDA GPU, masked with ``mask(…, scope=NM(2, 4))`` and
            ``bake``. It is not changed.
        of: names of the linear layers; None for all that are 2:4 sparse and fit the kernel (outputs a
            multiple of 32, inputs of 64). Others stay dense.

    Returns:
        A deep copy, equal in output up to rounding.

    Raises:
        TypeError: if ``model`` is no module, or ``of`` is not a tuple of names.
        ValueError: if a named layer is no linear layer, is not 2:4 sparse or doesn't fit, or if no layer is
            left; or for weights of another type, or on another device.
        RuntimeError: if there is no GPU that has these tensor cores.

    Example:
        >>> import torch
        >>> semi_structured(torch.nn.Sequential(torch.nn.Linear(64, 10)))
        Traceback (most recent call last):
        ...
        ValueError: semi_structured.model must be with a 2:4 sparse linear layer that fits, got 0: 10 outputs

    Reference: Mishra et al., Accelerating sparse deep neural networks, 2021, arXiv:2104.08378;
    ``torch.sparse.to_sparse_semi_structured``, pytorch.org/docs.
    """
    import torch

    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"semi_structured.model must be a torch.nn.Module, got {model!r:.80}")
    names = _fitting(model, of)
    _check_machine()
    found = copy.deepcopy(model)
    for name in names:
        layer: Any = found.get_submodule(name)
        _check_weight(name, layer.weight)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "prototype stage", once a process
            packed = torch.sparse.to_sparse_semi_structured(layer.weight.detach().contiguous())
        layer.weight = torch.nn.Parameter(packed, requires_grad=False)
    return found


def _fitting(model: Any, of: Of) -> list[str]:
    """Names of the layers that will be changed.

    Raises:
        TypeError, ValueError: as :func:`semi_structured`.
    """
    import torch

    linear = {name: layer for name, layer in model.named_modules() if isinstance(layer, torch.nn.Linear)}
    if of is None:
        reasons = {name: _obstacle(layer.weight) for name, layer in linear.items()}
        fitting = [name for name, reason in reasons.items() if not reason]
        seen = ", ".join(f"{name}: {reason}" for name, reason in reasons.items()) or "no linear layer"
        if not fitting:
            rule = "with a 2:4 sparse linear layer that fits"
            raise ValueError(f"semi_structured.model must be {rule}, got {seen}")
        return fitting
    if not (isinstance(of, tuple | list) and all(isinstance(name, str) for name in of)):
        raise TypeError(f"of must be a tuple of names of layers, got {of!r}")
    require(bool(of) and set(of) <= set(linear), "of", f"linear layers among {list(linear)}", tuple(of))
    for name in of:
        reason = _obstacle(linear[name].weight)
        require(not reason, f"of {name!r}", f"2:4 sparse, {ROWS}·n outputs, {COLUMNS}·m inputs", reason)
    return list(of)


def _obstacle(weight: Any) -> str:
    """What keeps a weight (outputs, inputs) from the kernel; "" if nothing does."""
    outputs, inputs = weight.shape
    if outputs % ROWS:
        return f"{outputs} outputs"
    if inputs % COLUMNS:
        return f"{inputs} inputs"
    full = int(((weight != 0).reshape(-1, 4).sum(1) > 2).sum())
    return f"{full} groups of 4 with more than 2 weights" if full else ""


def _check_machine() -> None:
    import torch

    need = "semi_structured needs an NVIDIA GPU of compute capability 8.0 or more (Ampere or later)"
    if not torch.cuda.is_available():
        raise RuntimeError(f"{need}; torch sees no CUDA GPU here")
    there = torch.cuda.get_device_capability()
    if there < CAPABILITY:
        raise RuntimeError(f"{need}; this one has {there[0]}.{there[1]}")


def _check_weight(name: str, weight: Any) -> None:
    kind = str(weight.dtype).removeprefix("torch.")
    rule = f"of type {' or '.join(TYPES)} on a CUDA device: model.half().cuda()"
    require(
        kind in TYPES and weight.device.type == "cuda", f"{name}.weight", rule, f"{kind} on {weight.device}"
    )
