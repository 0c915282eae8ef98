"""How the labels of units pass operations that have no weights; what has no rule holds its units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from optviz.prune.graph import Call, Shape, Size, Trace, Units

__all__ = ["FUNCTIONS", "OPERATIONS", "Rule", "same", "stop", "table", "unknown"]

Rule = Callable[[Trace, Call], Any]


def stop(t: Trace, call: Call, reason: str) -> Any:
    """Hold all units that the call is given, for a reason."""
    t.hold((call.tags, call.named), reason)


def unknown(t: Trace, call: Call) -> Any:
    """Hold all units that the call is given, since nothing is known of it."""
    if call.module is not None and any(True for _ in call.module.parameters()):
        t.refused[call.name] = f"there is no rule for {call.what}"
    stop(t, call, f"{call} has no rule for units")


def table(*rows: tuple[str, Rule]) -> dict[str, Rule]:
    """name -> rule, from rows of (names with a space between them, rule)."""
    return {name: how for names, how in rows for name in names.split()}


def same(t: Trace, call: Call) -> Any:
    """Every number by itself: the units stay where they are."""
    if isinstance(call.units, Shape | Size):
        return unknown(t, call)
    t.hold(
        (call.tags[1:], {k: v for k, v in call.named.items() if v is not call.units}), f"{call} reads them"
    )
    return call.units if isinstance(call.units, Units) else None


def _spatial(t: Trace, call: Call) -> Any:
    """Pooling and padding over the last axes, as many as the digit in the name says."""
    count = int(next((c for c in call.what if c.isdigit()), "2"))
    units = call.units
    if not isinstance(units, Units) or units.axis >= call.x.ndim - count or isinstance(call.value, tuple):
        return stop(t, call, f"{call} has no rule for units")
    return units


def _resize(t: Trace, call: Call) -> Any:
    """More or fewer pixels a channel."""
    if not isinstance(call.units, Units) or call.units.axis != 1:
        return unknown(t, call)
    return call.units


def _pad(t: Trace, call: Call) -> Any:
    padded = len(call.given(1, "pad", default=())) // 2
    if not isinstance(call.units, Units) or call.units.axis >= call.x.ndim - padded:
        return stop(t, call, f"{call} changes how many there are")
    return call.units


def _softmax(t: Trace, call: Call) -> Any:
    dim = call.module.dim if call.module is not None else call.given(1, "dim")
    if not isinstance(call.units, Units) or dim is None or dim % call.x.ndim == call.units.axis:
        return stop(t, call, f"{call} divides by a sum over them")
    return call.units


def _both(t: Trace, call: Call) -> Any:
    """Sum, product, … of two tensors, number by number: their units go together."""
    if len(call.args) < 2:
        return unknown(t, call)
    pairs = [(v, k) for v, k in zip(call.args[:2], call.tags[:2], strict=True)]
    tensors = [(v, k) for v, k in pairs if hasattr(v, "ndim")]
    if any(isinstance(k, Shape | Size) for _, k in pairs):
        sizes = [k for _, k in pairs if isinstance(k, Size)]
        product = call.what == "mul" and len(sizes) == 1 and not tensors
        return sizes[0] if product else unknown(t, call)
    units = [(v, k) for v, k in tensors if isinstance(k, Units)]
    if not units:
        return None
    behind = units[0][1].axis - units[0][0].ndim  # counted from the back, as broadcasting does
    if len(units) == 2 and units[1][1].axis - units[1][0].ndim == behind:
        a, b = units[0][1].labels, units[1][1].labels
        if len(a) != len(b):
            return stop(t, call, f"{call} repeats a single one for all of them")
        t.tie(a, b)
    elif len(units) == 2:
        return stop(t, call, f"{call} joins units of different axes")
    for value, known in tensors:
        if not isinstance(known, Units) and value.ndim >= -behind and value.shape[behind] != 1:
            return stop(t, call, f"{call} joins them with a tensor that cannot shrink")
    return Units(call.value.ndim + behind, units[0][1].labels)


def _cat(t: Trace, call: Call) -> Any:
    """Side by side: the units of the second tensor come after those of the first."""
    parts, known = call.args[0], call.tags[0]
    axis = call.given(1, "dim", "axis", default=0) % parts[0].ndim
    if not any(isinstance(k, Units) for k in known):
        return stop(t, call, f"{call} has no rule for units")
    if all(isinstance(k, Units) and k.axis == known[0].axis != axis for k in known):
        for other in known[1:]:
            t.tie(known[0].labels, other.labels)
        return known[0]
    labels = []
    for part, k in zip(parts, known, strict=True):
        if not isinstance(k, Units) or k.axis != axis:
            t.hold(k, f"{call} joins units of different axes")
            k = Units(axis, t.new(part.shape[axis]))
            t.hold(k, f"{call} joins them with a tensor that cannot shrink")
        labels.append(k.labels)
    return Units(axis, np.concatenate(labels))


def _reduce(t: Trace, call: Call) -> Any:
    """A mean or sum over other axes than that of the units."""
    dims, units, ndim = call.given(1, "dim", "axis"), call.units, call.x.ndim
    if not isinstance(units, Units):
        return unknown(t, call)
    dims = range(ndim) if dims is None else [dims] if isinstance(dims, int) else dims
    gone = {d % ndim for d in dims}
    if units.axis in gone or isinstance(call.value, tuple):
        return stop(t, call, f"{call} is taken over them")
    if call.given(2, "keepdim", "keepdims", default=False):
        return units
    return Units(units.axis - sum(d < units.axis for d in gone), units.labels)


def _flatten(t: Trace, call: Call) -> Any:
    """A channel becomes a block of neighboring columns, one for each of its pixels."""
    ends = (call.module.start_dim, call.module.end_dim) if call.module is not None else None
    start, end = ends or (call.given(1, "start_dim", default=0), call.given(2, "end_dim", default=-1))
    if not isinstance(call.units, Units):
        return unknown(t, call)
    start, end = start % call.x.ndim, end % call.x.ndim
    return _regrouped(t, call, [*call.x.shape[:start], -1, *call.x.shape[end + 1 :]], set())


def _unflatten(t: Trace, call: Call) -> Any:
    if not isinstance(call.units, Units):
        return unknown(t, call)
    dim = (call.module.dim if call.module is not None else call.given(1, "dim")) % call.x.ndim
    if dim == call.units.axis:
        return stop(t, call, f"{call} has their number written into it")
    grown = call.value.ndim - call.x.ndim
    return Units(call.units.axis + grown * (dim < call.units.axis), call.units.labels)


def _reshape(t: Trace, call: Call) -> Any:
    given, known = call.args[1:] or (call.kwargs.get("shape"),), call.tags[1:] or (call.named.get("shape"),)
    if len(given) == 1 and isinstance(given[0], list | tuple):
        given, known = tuple(given[0]), known[0]
    whole = isinstance(known, Shape) or not all(isinstance(n, int) for n in given)
    if whole or not isinstance(call.units, Units):
        return unknown(t, call)
    counted = {i: k.units.labels for i, k in enumerate(known) if isinstance(k, Size)}
    for labels in counted.values():  # the number of other units: they must go with these
        if not np.array_equal(labels, call.units.labels):
            if len(labels) != len(call.units.labels):
                return unknown(t, call)
            t.tie(labels, call.units.labels)
    return _regrouped(t, call, list(given), set(counted))


def _regrouped(t: Trace, call: Call, sizes: list[int], counted: set[int]) -> Any:
    """Labels after a change of shape; they must end up along one axis whose size is not a fixed number."""
    x, units, shape = call.x, call.units, tuple(call.value.shape)
    spread = units.labels.reshape([-1 if d == units.axis else 1 for d in range(x.ndim)])
    every = np.broadcast_to(spread, tuple(x.shape)).reshape(shape)
    for axis in reversed(range(len(shape))):
        first = every[tuple(slice(None) if d == axis else slice(0, 1) for d in range(len(shape)))]
        if (every == first).all():
            if counted <= {axis} and (sizes[axis] == -1 or counted):
                return Units(axis, first.ravel())
            return stop(t, call, f"{call} has their number written into it")
    return stop(t, call, f"{call} spreads them over several axes")


def _permute(t: Trace, call: Call) -> Any:
    if not isinstance(call.units, Units):
        return unknown(t, call)
    order, ndim = list(range(call.x.ndim)), call.x.ndim
    if call.what == "permute":
        given = call.args[1:] or (call.kwargs["dims"],)
        dims = given[0] if isinstance(given[0], list | tuple) else given
        order = [d % ndim for d in dims]
    else:
        a, b = call.given(1, "dim0", "axis0") % ndim, call.given(2, "dim1", "axis1") % ndim
        order[a], order[b] = b, a
    return Units(order.index(call.units.axis), call.units.labels)


def _unsqueeze(t: Trace, call: Call) -> Any:
    if not isinstance(call.units, Units):
        return unknown(t, call)
    at = call.given(1, "dim") % (call.x.ndim + 1)
    return Units(call.units.axis + (at <= call.units.axis), call.units.labels)


def _squeeze(t: Trace, call: Call) -> Any:
    dim, units = call.given(1, "dim"), call.units
    if not isinstance(units, Units) or not isinstance(dim, int) or dim % call.x.ndim == units.axis:
        return unknown(t, call)
    gone = call.x.shape[dim] == 1 and dim % call.x.ndim < units.axis
    return Units(units.axis - gone, units.labels)


def _item(t: Trace, call: Call) -> Any:
    """``x[...]`` of a tensor, with all units taken; or one number of a shape."""
    index, units = call.args[1], call.units
    if isinstance(units, Shape):
        return _of_shape(t, call, units.units, index)
    if not isinstance(units, Units):
        return unknown(t, call)
    index = list(index) if isinstance(index, tuple) else [index]
    if Ellipsis in [i for i in index if not hasattr(i, "ndim")]:
        at = index.index(Ellipsis)
        rest = call.x.ndim - sum(i is not None for i in index) + 1
        index[at : at + 1] = [slice(None)] * rest
    axis, seen = 0, 0
    for i in index:
        if not (i is None or isinstance(i, int | slice)):
            return unknown(t, call)
        if i is not None and seen == units.axis and i != slice(None):
            return stop(t, call, f"{call} picks some of them by number")
        if seen > units.axis:
            break
        if i is not None and seen == units.axis:
            break
        seen += i is not None
        axis += i is None or isinstance(i, slice)
    return Units(axis + units.axis - seen, units.labels)


def _of_shape(t: Trace, call: Call, units: Units, index: Any) -> Any:
    ndim = len(call.x)
    if isinstance(index, int):
        return Size(units) if index % ndim == units.axis else None
    if isinstance(index, slice) and units.axis not in range(*index.indices(ndim)):
        return None
    return unknown(t, call)


def _size(t: Trace, call: Call) -> Any:
    dim = call.given(1, "dim")
    if not isinstance(call.units, Units):
        return unknown(t, call)
    if dim is None:
        return Shape(call.units)
    return Size(call.units) if dim % call.x.ndim == call.units.axis else None


def _attribute(t: Trace, call: Call) -> Any:
    if not isinstance(call.units, Units):
        return unknown(t, call)
    if call.args[1] == "shape":
        return Shape(call.units)
    return None if call.args[1] in ("dtype", "device", "ndim") else unknown(t, call)


OPERATIONS = table(
    ("ReLU ReLU6 LeakyReLU ELU SELU CELU GELU SiLU Mish Softplus Softsign Sigmoid Tanh Tanhshrink", same),
    ("Hardtanh Hardsigmoid Hardswish Hardshrink Softshrink LogSigmoid Threshold Identity", same),
    ("Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout", same),
    ("MaxPool1d MaxPool2d MaxPool3d AvgPool1d AvgPool2d AvgPool3d LPPool1d LPPool2d", _spatial),
    ("AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d", _spatial),
    ("AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d", _spatial),
    ("Upsample UpsamplingNearest2d UpsamplingBilinear2d", _resize),
    ("ZeroPad1d ZeroPad2d ReflectionPad1d ReflectionPad2d ReplicationPad1d ReplicationPad2d", _spatial),
    ("Softmax LogSoftmax Softmin", _softmax),
    ("Flatten", _flatten),
    ("Unflatten", _unflatten),
)
FUNCTIONS = table(
    ("relu relu_ relu6 leaky_relu elu selu celu gelu silu mish softplus sigmoid tanh hardtanh", same),
    ("hardsigmoid hardswish logsigmoid neg abs exp square sqrt rsqrt sin cos erf clamp clip pow", same),
    ("dropout dropout1d dropout2d dropout3d contiguous clone detach to float double half bfloat16", same),
    ("add iadd add_ sub isub mul imul mul_ truediv div div_ maximum minimum", _both),
    ("max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d", _spatial),
    ("adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d", _spatial),
    ("adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d", _spatial),
    ("interpolate", _resize),
    ("pad", _pad),
    ("softmax log_softmax", _softmax),
    ("cat concat concatenate", _cat),
    ("mean sum amax amin", _reduce),
    ("flatten", _flatten),
    ("unflatten", _unflatten),
    ("reshape view", _reshape),
    ("permute transpose swapaxes", _permute),
    ("unsqueeze", _unsqueeze),
    ("squeeze", _squeeze),
    ("getitem", _item),
    ("size", _size),
    ("getattr", _attribute),
)
