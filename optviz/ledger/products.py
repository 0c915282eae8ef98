"""The work of one forward pass: multiplications whose products are summed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from optviz._knobs import require
from optviz.ledger._passes import as_input, at_rest

if TYPE_CHECKING:
    import torch

__all__ = ["macs"]


def macs(model: torch.nn.Module, example: Any, *, nonzero: bool = False) -> dict[str, int]:
    """Multiply–accumulates of each layer for one example: products w · x that are added up.

    A linear layer has inputs · outputs of them, a convolution (weights of one output channel) · (numbers in
    its output), attention those of queries · keys and of weights · values too. They are counted where torch
    multiplies matrices, so it makes no difference in which layers that is written. Products with padding
    count, as is usual. Additions of biases, activations, normalization and pooling do not.

    Args:
        model: a ``torch.nn.Module``. It is run once, in evaluation mode, and left as it was.
        example: (N, …) a batch to run it on.
        nonzero: leave out products whose weight is zero. A dense kernel does not leave them out: this is
            what could be saved, not what is saved.

    Returns:
        Name of the layer -> multiply–accumulates for one example; "" for what the model does itself. Their
        sum is the network's.

    Raises:
        TypeError: if ``model`` is no module.
        ValueError: if ``example`` is empty, or the model has recurrent layers, which torch computes whole.

    Example:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
        >>> macs(net, torch.zeros(5, 64))
        {'0': 2048, '2': 320}

    Reference: Sze, Chen, Yang and Emer, Efficient processing of deep neural networks, 2017, arXiv:1703.09039.
    """
    import torch

    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"macs.model must be a torch.nn.Module, got {model!r:.80}")
    recurrent = [name for name, m in model.named_modules() if isinstance(m, torch.nn.RNNBase)]
    require(not recurrent, "macs.model", "without recurrent layers", recurrent)
    inputs = as_input(model, example)
    require(inputs.ndim > 0 and len(inputs) > 0, "macs.example", "a batch of examples", tuple(inputs.shape))
    work: Counter[str] = Counter()
    with at_rest(model), _whole_attention(), _counting(model, work, nonzero), torch.no_grad():
        model(inputs)
    return {name: total // len(inputs) for name, total in work.items()}


@contextmanager
def _whole_attention() -> Iterator[None]:
    """torch's attention layers as single products instead of one fused call, while it lasts."""
    import torch

    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


@contextmanager
def _counting(model: torch.nn.Module, work: Counter[str], nonzero: bool) -> Iterator[None]:
    """While it lasts, products go into ``work`` under the name of the layer that makes them."""
    from torch.utils._python_dispatch import TorchDispatchMode

    inside, weights = [""], {p.untyped_storage().data_ptr() for p in model.parameters()}

    class Count(TorchDispatchMode):
        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            return False  # else torch loads its compiler first, which takes seconds

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            count = _products(func.overloadpacket.__name__, args, out)
            if count:
                work[inside[-1]] += round(count * _density(args, weights)) if nonzero else count
            return out

    def enter(name: str) -> Any:
        def hook(layer: Any, inputs: Any) -> None:
            inside.append(name)
            # a hook before ours, such as that of torch.nn.utils.prune, may have made the weight anew
            made = (v for v in vars(layer).values() if hasattr(v, "untyped_storage"))
            weights.update(v.untyped_storage().data_ptr() for v in made)

        return hook

    def leave(layer: Any, inputs: Any, output: Any) -> None:
        inside.pop()

    handles = []
    for name, layer in model.named_modules():
        handles.append(layer.register_forward_pre_hook(enter(name)))
        handles.append(layer.register_forward_hook(leave, always_call=True))
    try:
        with Count():
            yield
    finally:
        for handle in handles:
            handle.remove()


def _products(op: str, args: tuple[Any, ...], out: Any) -> int:
    """Multiply–accumulates of one call into torch; 0 for all that multiplies no matrices."""
    if op in ("mm", "bmm", "mv", "dot"):
        return args[0].numel() * (args[1].shape[-1] if args[1].ndim > 1 and op != "mv" else 1)
    if op in ("addmm", "baddbmm", "addmv"):
        return args[1].numel() * (args[2].shape[-1] if op != "addmv" else 1)
    if op == "convolution":
        signal, transposed = args[0], args[6]
        return (signal if transposed else out).numel() * args[1][0].numel()
    if "scaled_dot_product" in op:
        query, key, value = args[:3]
        return query.numel() * key.shape[-2] + query.numel() // query.shape[-1] * value[0, 0].numel()
    return 0


def _density(args: tuple[Any, ...], weights: set[int]) -> float:
    """Share of a product's weights that are not zero; 1 where it has no weights."""
    for part in args:
        tensor = hasattr(part, "untyped_storage") and part.ndim > 1
        if tensor and part.untyped_storage().data_ptr() in weights:
            return float((part != 0).sum()) / part.numel()
    return 1.0
