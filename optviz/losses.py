"""Loss functions and their gradients, on NumPy arrays and torch tensors alike.

The last axis holds classes (or outputs), the axis before it examples, and an optional leading axis K runs:
each run gets its own loss. Every loss is the mean over examples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from optviz._knobs import require
from optviz._rows import namespace

__all__ = [
    "cross_entropy",
    "cross_entropy_grad",
    "cross_entropy_with_grad",
    "log_softmax",
    "mse",
    "mse_grad",
    "softmax",
]


def softmax(logits: Any) -> Any:
    """Probabilities of the classes: p_c = exp(z_c) / Σ_j exp(z_j).

    The largest logit is subtracted first, which changes nothing but keeps exp from overflowing.

    Args:
        logits: scores of the C classes, shape (…, C), any real numbers (no unit).

    Returns:
        Array or tensor of shape (…, C); every row is at least 0 and sums to 1.

    Raises:
        TypeError: if ``logits`` are not floating-point numbers.

    Example:
        >>> softmax(np.array([1000.0, 1000.0])).tolist()
        [0.5, 0.5]

    Reference:
        Blanchard, Higham and Higham, Accurately computing the log-sum-exp and softmax functions, 2021,
        doi:10.1093/imanum/draa038.
    """
    logits, xp = _floats(logits, "softmax.logits")
    weights = xp.exp(_shifted(logits, xp))
    return weights / weights.sum(axis=-1, keepdims=True)


def log_softmax(logits: Any) -> Any:
    """Logarithms of the probabilities: z_c − log Σ_j exp(z_j), finite where ``log(softmax)`` is −inf.

    Args:
        logits: scores of the C classes, shape (…, C), any real numbers (no unit).

    Returns:
        Array or tensor of shape (…, C), in nats; at most 0.

    Raises:
        TypeError: if ``logits`` are not floating-point numbers.

    Example:
        >>> log_softmax(np.array([0.0, 1000.0])).tolist()
        [-1000.0, 0.0]

    Reference:
        Blanchard, Higham and Higham, Accurately computing the log-sum-exp and softmax functions, 2021,
        doi:10.1093/imanum/draa038.
    """
    logits, xp = _floats(logits, "log_softmax.logits")
    shifted = _shifted(logits, xp)
    return shifted - xp.log(xp.exp(shifted).sum(axis=-1, keepdims=True))


def mse(prediction: Any, target: Any) -> Any:
    """Mean squared error: mean of (prediction − target)².

    The mean runs over all axes of ``target``; axes that ``prediction`` has in front of them are runs. The
    shapes must agree exactly otherwise: (N, 1) against (N,) would silently compare all pairs.

    Args:
        prediction: shape (N, …) or (K, N, …), in the unit of the target.
        target: shape (N, …).

    Returns:
        The loss of each run, shape () or (K,), in the squared unit of the target.

    Raises:
        TypeError: if ``prediction`` is not floating-point.
        ValueError: if the shapes do not agree, or the batch is empty.

    Example:
        >>> float(mse(np.array([1.0, 3.0]), np.array([0.0, 0.0])))
        5.0

    Reference:
        The formula of ``torch.nn.MSELoss`` with its default reduction, pytorch.org/docs.
    """
    difference, axes = _difference(prediction, target, "mse")
    return (difference * difference).mean(axis=axes)


def mse_grad(prediction: Any, target: Any) -> Any:
    """Gradient of :func:`mse` by the prediction: 2 (prediction − target) / (numbers in target).

    Args:
        prediction: shape (N, …) or (K, N, …), in the unit of the target.
        target: shape (N, …).

    Returns:
        Array or tensor of the shape of ``prediction``, each run's gradient of its own loss.

    Raises:
        TypeError: if ``prediction`` is not floating-point.
        ValueError: if the shapes do not agree, or the batch is empty.

    Example:
        >>> mse_grad(np.array([1.0, 3.0]), np.array([0.0, 0.0])).tolist()
        [1.0, 3.0]

    Reference:
        The derivative of ``torch.nn.MSELoss`` with its default reduction, pytorch.org/docs.
    """
    difference, axes = _difference(prediction, target, "mse_grad")
    count = 1
    for axis in axes:
        count *= difference.shape[axis]
    return difference * (2.0 / count)


def cross_entropy(logits: Any, labels: Any, smoothing: Any = 0.0) -> Any:
    """Cross-entropy of logits against class ids: mean of −Σ_c t_c log softmax(z)_c.

    The target t is 1 − s + s/C at the label and s/C elsewhere, with smoothing s. Give logits, not
    probabilities: fed with soft-max outputs, a 10-class loss can't fall below 1.461. With s > 0 the smallest
    possible loss is the entropy of t, above 0.

    Shapes are always checked. Labels are range-checked on the CPU (a few microseconds); on a GPU that would
    make the program wait for the device, so PyTorch's own indexing check has to serve.

    Args:
        logits: scores, shape (N, C) or (K, N, C), any real numbers (no unit).
        labels: integer class ids in 0 … C−1, shape (N,), shared by the runs.
        smoothing: label smoothing in [0, 1), a number, or one a run: shape (K,), (K, 1) or (K, 1, 1).

    Returns:
        The loss of each run in nats, shape () or (K,).

    Raises:
        TypeError: if ``logits`` are not floating-point or ``labels`` not integers.
        ValueError: if the shapes do not agree, the batch is empty, or a label or smoothing is out of range.

    Example:
        >>> round(float(cross_entropy(np.zeros((1, 10)), np.array([3]))), 4)  # log 10
        2.3026

    Reference:
        Label smoothing: Szegedy et al., Rethinking the Inception architecture for computer vision, 2016,
        arXiv:1512.00567.
    """
    logits, labels, smoothing, xp = _classified(logits, labels, smoothing, "cross_entropy")
    logs = log_softmax(logits)
    of_label = xp.where(_one_hot(labels, logits, xp), logs, 0.0).sum(axis=-1)
    if smoothing is None:
        return -of_label.mean(axis=-1)
    return -((1 - smoothing) * of_label.mean(axis=-1) + smoothing * logs.mean(axis=(-2, -1)))


def cross_entropy_grad(logits: Any, labels: Any, smoothing: Any = 0.0) -> Any:
    """Gradient of :func:`cross_entropy` by the logits: (softmax(z) − t) / N.

    Args:
        logits: scores, shape (N, C) or (K, N, C), any real numbers (no unit).
        labels: integer class ids in 0 … C−1, shape (N,), shared by the runs.
        smoothing: label smoothing in [0, 1), a number, or one a run: shape (K,), (K, 1) or (K, 1, 1).

    Returns:
        Array or tensor of the shape of ``logits``, each run's gradient of its own loss; every row sums to 0.

    Raises:
        TypeError: if ``logits`` are not floating-point or ``labels`` not integers.
        ValueError: if the shapes do not agree, the batch is empty, or a label or smoothing is out of range.

    Example:
        >>> cross_entropy_grad(np.zeros((1, 2)), np.array([1])).tolist()
        [[0.5, -0.5]]

    Reference:
        Label smoothing: Szegedy et al., Rethinking the Inception architecture for computer vision, 2016,
        arXiv:1512.00567.
    """
    return _both(logits, labels, smoothing, "cross_entropy_grad")[1]


def cross_entropy_with_grad(logits: Any, labels: Any, smoothing: Any = 0.0) -> tuple[Any, Any]:
    """:func:`cross_entropy` and :func:`cross_entropy_grad` from one pass over the exponentials.

    Args:
        logits, labels, smoothing: as in :func:`cross_entropy`.

    Returns:
        The loss of each run, shape () or (K,), and its gradient, of the shape of ``logits``.

    Raises:
        TypeError, ValueError: as :func:`cross_entropy`.

    Example:
        >>> loss, grad = cross_entropy_with_grad(np.zeros((1, 2)), np.array([1]))
        >>> round(float(loss), 4), grad.tolist()
        (0.6931, [[0.5, -0.5]])

    Reference:
        Label smoothing: Szegedy et al., Rethinking the Inception architecture for computer vision, 2016,
        arXiv:1512.00567.
    """
    return _both(logits, labels, smoothing, "cross_entropy_with_grad")


def _both(logits: Any, labels: Any, smoothing: Any, name: str) -> tuple[Any, Any]:
    logits, labels, smoothing, xp = _classified(logits, labels, smoothing, name)
    if xp is np:
        return _both_numpy(logits, labels, smoothing)
    hit, count = _one_hot(labels, logits, xp), logits.shape[-2]
    shifted = _shifted(logits, xp)
    weights = xp.exp(shifted)
    total = weights.sum(axis=-1, keepdims=True)
    p, log_total = weights / total, xp.log(total[..., 0])
    nll = (log_total - xp.where(hit, shifted, 0.0).sum(axis=-1)).mean(axis=-1)
    if smoothing is None:
        return nll, xp.where(hit, p - 1, p) / count
    uniform = (log_total - shifted.mean(axis=-1)).mean(axis=-1)
    loss = (1 - smoothing) * nll + smoothing * uniform
    if getattr(smoothing, "ndim", 0):
        smoothing = smoothing.reshape(-1, 1, 1)
    return loss, (xp.where(hit, p - (1 - smoothing), p) - smoothing / logits.shape[-1]) / count


def _both_numpy(logits: Any, labels: Any, smoothing: Any) -> tuple[Any, Any]:
    """The same with the classes as the first axis: NumPy is slow along a short last one."""
    z = np.array(np.moveaxis(logits, -1, 0), order="C")  # a copy, (C, N) or (C, K, N)
    at_label = (labels, ..., np.arange(len(labels)))  # picks (N,) or (N, K)
    with np.errstate(invalid="ignore"):  # inf − inf in a run that has diverged
        z -= z.max(axis=0)
    p = np.exp(z)
    total = p.sum(axis=0)
    p /= total
    log_total = np.log(total).mean(axis=-1)
    # summed along contiguous rows, so that a run's loss is the same to the last bit in any company
    loss = log_total - np.ascontiguousarray(z[at_label].T).mean(axis=-1)
    if smoothing is None:
        p[at_label] -= 1
    else:
        loss = (1 - smoothing) * loss + smoothing * (log_total - z.mean(axis=0).mean(axis=-1))
        p[at_label] -= 1 - smoothing
        p -= (smoothing[:, None] if np.ndim(smoothing) else smoothing) / len(z)
    p /= len(labels)
    return loss, np.ascontiguousarray(np.moveaxis(p, 0, -1))


def _floats(values: Any, name: str) -> tuple[Any, Any]:
    xp = namespace(values)
    if xp is np:
        values = np.asarray(values)
    if not (values.dtype.kind == "f" if xp is np else values.is_floating_point()):
        raise TypeError(f"{name} must be floating-point numbers, got dtype {values.dtype}")
    return values, xp


def _shifted(logits: Any, xp: Any) -> Any:
    """Logits less the largest of each row, which is a constant to autograd (its share cancels)."""
    if xp is not np:
        return logits - xp.amax(logits.detach(), axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):  # inf − inf in a run that has diverged
        return logits - np.array(np.moveaxis(logits, -1, 0), order="C").max(axis=0)[..., None]


def _like(values: Any, array: Any, xp: Any) -> Any:
    if xp is np:
        return np.asarray(values, dtype=array.dtype)
    return xp.as_tensor(values, dtype=array.dtype, device=array.device)


def _difference(prediction: Any, target: Any, name: str) -> tuple[Any, tuple[int, ...]]:
    prediction, xp = _floats(prediction, f"{name}.prediction")
    target = _like(target, prediction, xp)
    shape, n = tuple(target.shape), target.ndim
    fits = n > 0 and tuple(prediction.shape[-n:]) == shape
    require(fits, f"{name}.prediction", f"of shape {shape} or (K, …) in front of it", tuple(prediction.shape))
    require(0 not in shape, f"{name}.target", "not empty", shape)
    return prediction - target, tuple(range(-n, 0))


def _one_hot(labels: Any, logits: Any, xp: Any) -> Any:
    """Booleans of shape (N, C), true at the label."""
    classes = logits.shape[-1]
    ids = np.arange(classes) if xp is np else xp.arange(classes, device=logits.device)
    return labels[:, None] == ids


def _classified(logits: Any, labels: Any, smoothing: Any, name: str) -> tuple[Any, Any, Any, Any]:
    """Checked logits, labels, smoothing (None for 0, a number, or shape (K,)), and their namespace."""
    logits, xp = _floats(logits, f"{name}.logits")
    labels = np.asarray(labels) if xp is np else xp.as_tensor(labels, device=logits.device)
    shape, got = tuple(logits.shape), tuple(labels.shape)
    if len(shape) < 2 or 0 in shape:
        require(False, f"{name}.logits", "of shape (N, C) or (K, N, C), not empty", shape)
    if got != shape[-2:-1]:
        require(False, f"{name}.labels", f"of shape {shape[-2:-1]}, one a row of logits", got)
    if labels.dtype.kind not in "iu" if xp is np else labels.is_floating_point() or labels.dtype == xp.bool:
        raise TypeError(f"{name}.labels must be integer class ids, got dtype {labels.dtype}")
    if xp is np or labels.device.type == "cpu":
        _check_range(labels, shape[-1], f"{name}.labels")
    return logits, labels, _smoothing(smoothing, logits, xp, f"{name}.smoothing"), xp


def _check_range(labels: Any, classes: int, name: str) -> None:
    low, high = labels.min(), labels.max()
    try:
        inside = bool(low >= 0) and bool(high < classes)
    except RuntimeError:  # labels that vmap has batched have no single value to branch on
        return
    if not inside:
        raise ValueError(f"{name} must be in 0 … {classes - 1}, got {int(low) if low < 0 else int(high)}")


def _smoothing(smoothing: Any, logits: Any, xp: Any, name: str) -> Any:
    if isinstance(smoothing, int | float):
        require(0 <= smoothing < 1, name, "in [0, 1)", smoothing)
        return smoothing or None
    values = _like(smoothing, logits, xp)
    if values.ndim == 0:
        return values
    shape, allowed = tuple(values.shape), (1, *logits.shape[:-2])
    fits = shape[0] in allowed and set(shape[1:]) <= {1}
    require(fits, name, "a number or of shape (K,), (K, 1) or (K, 1, 1)", shape)
    if xp is np:
        require(bool(((values >= 0) & (values < 1)).all()), name, "in [0, 1)", values.ravel().tolist())
    return values.reshape(-1)
