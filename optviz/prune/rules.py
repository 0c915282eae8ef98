"""How the labels of units pass each kind of layer: who makes units, who reads them, who goes along."""

from __future__ import annotations

from typing import Any

import numpy as np

from optviz.prune.graph import Call, Trace, Units
from optviz.prune.operations import FUNCTIONS, OPERATIONS, same, stop, table, unknown

__all__ = ["rule"]


def rule(t: Trace, call: Call, shared: str | None = None) -> Any:
    """Write down what one call does to units, and give what is known of its result.

    Args:
        t: what is known so far; filled in.
        call: what is called.
        shared: why the weights of its module belong to several places; None where they don't.

    Returns:
        :class:`Units`, :class:`Shape`, :class:`Size`, or None where no unit can be told of the result.
    """
    if call.module is None:
        found = FUNCTIONS.get(call.what, unknown)(t, call)
    elif shared is not None:
        return _refuse(t, call, shared)
    elif hasattr(call.module, "units") and hasattr(call.module, "kept"):
        found = _cuts_itself(t, call)
    elif not _plain(call.module):
        return _refuse(t, call, "its weights are computed from others by a hook or a parametrization")
    else:
        found = _MODULES.get(call.what, unknown)(t, call)
    if isinstance(found, Units) and tuple(getattr(call.value, "shape", ()))[found.axis] != len(found.labels):
        return stop(t, call, f"{call} changes how many there are")
    return found


def _plain(module: Any) -> bool:
    """Whether the module's weights are its own parameters, untouched by hooks of pruning or of norms."""
    names = {name for name, _ in module.named_parameters(recurse=False)}
    rewritten = hasattr(module, "parametrizations") or any(n.endswith(("_orig", "_g", "_v")) for n in names)
    return not rewritten


def _refuse(t: Trace, call: Call, why: str) -> None:
    t.refused[call.name] = why
    stop(t, call, f"{call} reads them, and {why}")


def _cuts_itself(t: Trace, call: Call) -> Any:
    """A module with ``units`` and ``kept(keep)``, such as attention: heads go, its width stays."""
    stop(t, call, f"{call} reads all of them")
    t.place(call.name, "units", t.new(int(call.module.units)))


def _linear(t: Trace, call: Call) -> Units:
    last = call.x.ndim - 1
    if isinstance(call.units, Units) and call.units.axis == last:
        t.read(call, call.units)
    else:
        stop(t, call, f"{call} works along another axis")
    made = t.new(call.module.out_features)
    t.place(call.name, "out", made)
    return Units(last, made)


def _conv(t: Trace, call: Call) -> Units:
    axis, layer = call.x.ndim - 1 - len(call.module.kernel_size), call.module
    made = t.new(layer.out_channels)
    units = call.units if isinstance(call.units, Units) and call.units.axis == axis else None
    if units is None:
        stop(t, call, f"{call} works along another axis")
    if layer.groups > 1:
        _grouped(t, call, units, made)
    elif units is not None:
        t.read(call, units)
    t.place(call.name, "out", made)
    return Units(axis, made)


def _grouped(t: Trace, call: Call, units: Units | None, made: np.ndarray) -> None:
    """Inputs and outputs of one group of a convolution go together; a depthwise one has a group a channel."""
    outputs = made.reshape(call.module.groups, -1)
    if units is None:
        t.hold(Units(0, made), f"{call} has groups, and its inputs are fixed")
        return
    inputs = units.labels.reshape(call.module.groups, -1)
    for column in (*inputs.T[1:], *outputs.T):
        t.tie(inputs[:, 0], column)
    t.place(call.name, "groups", inputs[:, 0])


def _transposed(t: Trace, call: Call) -> Units | None:
    return _conv(t, call) if call.module.groups == 1 else unknown(t, call)


def _channel_norm(t: Trace, call: Call) -> Units | None:
    """Batch and instance norm: every channel by itself."""
    if not isinstance(call.units, Units) or call.units.axis != 1:
        return stop(t, call, f"{call} works along another axis")
    t.place(call.name, "norm", call.units.labels)
    return call.units


def _group_norm(t: Trace, call: Call) -> Units | None:
    """The channels of a group share mean and variance: only a whole group can go."""
    if not isinstance(call.units, Units) or call.units.axis != 1:
        return stop(t, call, f"{call} works along another axis")
    blocks = call.units.labels.reshape(call.module.num_groups, -1)
    for column in blocks.T[1:]:
        t.tie(blocks[:, 0], column)
    t.place(call.name, "norm", call.units.labels)
    return call.units


def _whole_norm(t: Trace, call: Call) -> Units | None:
    first = call.x.ndim - len(call.module.normalized_shape)
    if not isinstance(call.units, Units) or call.units.axis >= first:
        return stop(t, call, f"{call} takes its statistics over them, and they would change")
    return call.units


def _prelu(t: Trace, call: Call) -> Units | None:
    if call.module.num_parameters == 1:
        return same(t, call)
    return _channel_norm(t, call)


_MODULES = OPERATIONS | table(
    ("Linear", _linear),
    ("Conv1d Conv2d Conv3d", _conv),
    ("ConvTranspose1d ConvTranspose2d ConvTranspose3d", _transposed),
    ("BatchNorm1d BatchNorm2d BatchNorm3d InstanceNorm1d InstanceNorm2d InstanceNorm3d", _channel_norm),
    ("GroupNorm", _group_norm),
    ("LayerNorm RMSNorm", _whole_norm),
    ("PReLU", _prelu),
)
