"""Rounding that looks at data: GPTQ repairs errors in the weights to come, AWQ protects what counts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from optviz._knobs import require
from optviz.quantize._blocks import as_numpy
from optviz.quantize.integers import fake_quantize
from optviz.quantize.methods import WeightOnly
from optviz.quantize.network import checked, replaced
from optviz.quantize.observers import calibrate, inputs, run, weighted
from optviz.quantize.qparams import QParams

if TYPE_CHECKING:
    from torch import nn

__all__ = ["awq", "awq_factors", "gptq", "gptq_round"]

FOUR = WeightOnly(4)


def gptq_round(weight: Any, moments: Any, q: QParams, *, damp: float = 0.01) -> Any:
    """Round one input's weights after the other; those still to come make up for each error.

    The error of the outputs is tr(D H Dᵀ) with D = Ŵ − W and H = Σ x xᵀ. With H⁻¹ = UᵀU, U upper triangular:
    ŵⱼ = round(wⱼ), and every later column k gets wₖ ← wₖ − (wⱼ − ŵⱼ) · Uⱼₖ / Uⱼⱼ, the best answer to it.

    Args:
        weight: (out, in) weights.
        moments: (in, in) H of the layer's inputs.
        q: the code, with scales of ``weight``'s tensor, rows or groups.
        damp: share of H's mean diagonal that is added to its diagonal, so that it can be inverted.

    Returns:
        (out, in) float64 array of numbers that the code has.

    Raises:
        ValueError: if shapes don't fit together, or ``damp`` is not above 0.

    Example:
        >>> from optviz.quantize import choose_qparams
        >>> w, q = np.array([[0.4, 0.4]]), QParams(1.0, 0, -1, 1)
        >>> alike = np.array([[1.0, 0.99], [0.99, 1.0]])  # two inputs that are nearly the same
        >>> gptq_round(w, np.eye(2), q).tolist(), gptq_round(w, alike, q).tolist()
        ([[0.0, 0.0]], [[0.0, 1.0]])

    Reference: Frantar, Ashkboos, Hoefler and Alistarh, 2022, arXiv:2210.17323, algorithm 1.
    """
    w, h = (as_numpy(v).astype(np.float64) for v in (weight, moments))
    require(h.shape == (w.shape[1],) * 2, "gptq_round.moments", f"of shape {(w.shape[1],) * 2}", h.shape)
    require(damp > 0, "gptq_round.damp", "above 0", damp)
    strength = np.diag(h).mean()
    h = h + damp * (strength if strength > 0 else 1.0) * np.eye(len(h))
    u = np.linalg.cholesky(np.linalg.inv(h)).T
    for j in range(w.shape[1]):
        rounded = fake_quantize(w[:, j], of_column(q, j, w.shape))
        error = (w[:, j] - rounded) / u[j, j]
        w[:, j + 1 :] -= np.outer(error, u[j, j + 1 :])
        w[:, j] = rounded
    return w


def awq_factors(weight: Any, moments: Any, sizes: Any, recipe: WeightOnly = FOUR, *, bits: int = 4) -> Any:
    """A factor for each input: weights that meet large inputs are made larger, so that rounding spares them.

    Ŵ = round(W · s) / s with s = sizes^α, scaled to √(max · min) = 1; of 20 values of α from 0 to 0.95 the
    one with the smallest error of the outputs, tr(D H Dᵀ) with D = Ŵ − W.

    Args:
        weight: (out, in) tensor.
        moments: (in, in) H = Σ x xᵀ of the layer's inputs.
        sizes: (in,) mean |x|.
        recipe: says how weights are coded.
        bits: b of the code.

    Returns:
        (in,) tensor of factors, all 1 where nothing is better.

    Example:
        >>> import torch
        >>> w, x = torch.tensor([[0.3, 1.0]]), torch.tensor([[100.0, 0.1]])
        >>> s = awq_factors(w, x.T @ x, x.abs().mean(0), bits=2)
        >>> bool(s[0] > s[1])
        True

    Reference: Lin and others, 2023, arXiv:2306.00978, section 3.2, equations 4 and 5.
    """
    best, least = None, np.inf
    for alpha in np.arange(20) / 20:
        s = sizes.clamp(min=1e-4) ** alpha
        s = s / (s.max() * s.min()).sqrt()
        d = (fake_quantize(weight * s, recipe.weights(weight * s, bits)) / s - weight).double()
        error = float((d @ moments.double() * d).sum())
        if error < least:
            best, least = s, error
    return best


def gptq(
    model: nn.Module, batches: Iterable[Any], recipe: WeightOnly = FOUR, *, damp: float = 0.01
) -> nn.Module:
    """A copy whose weights are rounded by GPTQ, layer by layer, each on what the layers before it give now.

    Linear and Conv2d layers; a convolution with groups or other padding than zeros is rounded to nearest.

    Args:
        model: any module in evaluation mode; it stays as it was.
        batches: of inputs (N, …), as for :func:`calibrate`; they are gone through once a layer.
        recipe: :class:`WeightOnly`.
        damp: as in :func:`gptq_round`.

    Returns:
        A network as :func:`quantize_model` gives it, with other integers.

    Raises:
        TypeError: if ``recipe`` is another one, and as :func:`calibrate`.
        ValueError: as :func:`quantize_model` and :func:`calibrate`.

    Example:
        >>> import torch
        >>> net, x = torch.nn.Linear(8, 4).eval(), torch.randn(50, 8)
        >>> gptq(net, [x]).codes.dtype
        torch.int8

    Reference: Frantar, Ashkboos, Hoefler and Alistarh, 2022, arXiv:2210.17323.
    """
    from optviz.quantize.modules import QuantizedLayer

    model, kept, layers = prepared(model, batches, recipe, "gptq")
    codes = {}
    for name, (layer, bits) in layers.items():
        flat = layer.weight.detach().flatten(1)
        codes[layer] = q = recipe.weights(flat, bits)
        if plain(layer):
            found = gptq_round(flat, moments(model, {name: layer}, kept)[name][0], q, damp=damp)
            layer.weight.data = layer.weight.new_tensor(found).reshape(layer.weight.shape)
    made = {layer: QuantizedLayer(layer, codes[layer], bits) for layer, bits in layers.values()}
    return replaced(model, made)


def awq(model: nn.Module, batches: Iterable[Any], recipe: WeightOnly = FOUR) -> nn.Module:
    """A copy whose Linear layers were coded after weights that meet large inputs were made larger.

    The inputs of a layer are divided by the factors. An engine folds that into the layer before, where it
    costs nothing; here it stands in the layer, and its bytes count. Convolutions are rounded to nearest.

    Args:
        model: any module in evaluation mode; it stays as it was.
        batches: of inputs (N, …), as for :func:`calibrate`; they are gone through twice.
        recipe: :class:`WeightOnly`.

    Returns:
        A network as :func:`quantize_model` gives it, with ``factors`` in its layers.

    Raises:
        TypeError: if ``recipe`` is another one, and as :func:`calibrate`.
        ValueError: as :func:`quantize_model` and :func:`calibrate`.

    Example:
        >>> import torch
        >>> net, x = torch.nn.Linear(8, 4).eval(), torch.randn(50, 8) * torch.arange(1, 9)
        >>> awq(net, [x]).factors.shape
        torch.Size([8])

    Reference: Lin and others, 2023, arXiv:2306.00978, section 3.2.
    """
    from optviz.quantize.modules import QuantizedLayer

    model, kept, layers = prepared(model, batches, recipe, "awq")
    lines = {name: layer for name, (layer, _) in layers.items() if layer.weight.ndim == 2}
    seen, factors = moments(model, lines, kept), dict.fromkeys(lines)
    for name, layer in lines.items():
        weight = layer.weight.detach()
        factors[name] = awq_factors(weight, *seen[name], recipe, bits=layers[name][1])
        layer.weight.data = weight * factors[name]
    made = {}
    for name, (layer, bits) in layers.items():
        q = recipe.weights(layer.weight.detach().flatten(1), bits)
        made[layer] = QuantizedLayer(layer, q, bits, factors=factors.get(name))
    return replaced(model, made)


def prepared(model: Any, batches: Any, recipe: Any, name: str) -> tuple[Any, list[Any], dict[str, Any]]:
    """A copy, its inputs, and name → (layer, bits) of what is to be rounded, in the order of use."""
    import copy

    if type(recipe) is not WeightOnly:
        raise TypeError(f"{name}.recipe must be WeightOnly, got {recipe!r}")
    checked(model, recipe)
    kept = list(inputs(model, batches, f"{name}.batches"))
    model = copy.deepcopy(model)
    used, layers = list(calibrate(model, kept)), weighted(model)
    names = used + [n for n in layers if n not in used]
    bits = {n: recipe.bits_of(n) for n in names}
    return model, kept, {n: (layers[n], b) for n, b in bits.items() if b is not None}


def moments(model: Any, layers: dict[str, Any], batches: list[Any]) -> dict[str, tuple[Any, Any]]:
    """Name → Σ x xᵀ (in, in) and mean |x| (in,) of a layer's inputs, or of the patches that it sees."""
    import torch

    zeros = {n: torch.zeros_like(p.weight[0]).flatten().double().detach() for n, p in layers.items()}
    sums = {name: (torch.outer(zero, zero), zero, 0) for name, zero in zeros.items()}

    def note(name: str) -> Any:
        def hook(layer: Any, args: Any) -> None:
            x, (h, size, count) = patches(layer, args[0]).double(), sums[name]
            sums[name] = h + x.T @ x, size + x.abs().sum(0), count + len(x)

        return hook

    run(model, batches, [part.register_forward_pre_hook(note(name)) for name, part in layers.items()])
    return {n: (h.float(), (size / max(count, 1)).float()) for n, (h, size, count) in sums.items()}


def patches(layer: Any, x: Any) -> Any:
    """What meets a row of weights: (rows, in)."""
    from torch.nn import functional

    if layer.weight.ndim == 2:
        return x.flatten(0, -2)
    where = layer.dilation, layer.padding, layer.stride
    return functional.unfold(x, layer.kernel_size, *where).transpose(1, 2).flatten(0, 1)


def plain(layer: Any) -> bool:
    """Whether it is Linear, or a Conv2d that :func:`patches` knows."""
    from torch import nn

    given = isinstance(layer, nn.Conv2d) and not isinstance(layer.padding, str)
    return isinstance(layer, nn.Linear) or (given and layer.groups == 1 and layer.padding_mode == "zeros")


def of_column(q: QParams, j: int, shape: tuple[int, int]) -> QParams:
    """The code of one column (out,) of weights (out, in).

    Example:
        >>> of_column(QParams(np.array([[[1.0], [2.0]]]), np.zeros((1, 2, 1), int), -7, 7), 2, (1, 4)).scale
        array([2.])
    """

    def at(value: Any) -> Any:
        value = as_numpy(value)
        if value.ndim == 0:
            return value
        rows = value.reshape(value.shape[0], -1)  # one scale for all inputs, one for each, or one a group
        return rows[:, j * rows.shape[1] // shape[1]]

    return QParams(at(q.scale).astype(np.float64), at(q.zero_point), q.low, q.high)
