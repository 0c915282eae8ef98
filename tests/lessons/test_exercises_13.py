"""Answers to the exercises of lesson 13, and what is particular about them."""

import copy
from itertools import product

import numpy as np
import pytest
import torch

from optviz import quantize as qz
from optviz.lessons import check
from optviz.lessons.exercises import exercise
from optviz.lessons.exercises.lesson_13.calibrating import FAULTS


def leaf(x):
    return torch.tensor(x, requires_grad=True)


def torchs_fake_quantize(x, dy, scale, zero, low, high):
    """PyTorch's own operation."""
    x = leaf(x.astype(np.float64))
    y = torch.fake_quantize_per_tensor_affine(x, scale, zero, low, high)
    y.backward(torch.tensor(dy))
    return y, x.grad


def detached_fake_quantize(x, dy, scale, zero, low, high, *, clamped=True):
    """Rounding passed over by detach, the clamp left to autograd."""
    x = leaf(x)
    codes = x / scale + zero
    codes = codes + (codes.round() - codes).detach()
    codes = codes.clamp(low, high) if clamped else codes + (codes.clamp(low, high) - codes).detach()
    y = scale * (codes - zero)
    return y, torch.autograd.grad(y, x, torch.tensor(dy))[0]


def looped_fake_quantize(x, dy, scale, zero, low, high):
    y, dx = np.zeros(x.size), np.zeros(x.size)
    for i, (v, g) in enumerate(zip(x.ravel(), dy.ravel(), strict=True)):
        y[i] = scale * (min(max(round(v / scale) + zero, low), high) - zero)
        dx[i] = g if scale * (low - zero) <= v <= scale * (high - zero) else 0.0
        dx[i] = g if abs(y[i] - v) <= scale / 2 else dx[i]
    return y, dx


def own_fake_quantize(x, dy, *code):
    q = qz.QParams(*code)
    return qz.fake_quantize(x, q), qz.fake_quantize_grad(dy, x, q)


def backward(of):
    """The right y with another gradient: of(dy, x, scale, zero, low, high)."""
    return lambda x, dy, *code: (own_fake_quantize(x, dy, *code)[0], of(dy, x, *code))


def forward(of):
    """The right gradient with another y."""
    return lambda x, dy, *code: (of(x, *code), own_fake_quantize(x, dy, *code)[1])


def autograd_lsq(x, dy, s, bits):
    """The paper's own way: straight-through rounding, and a scale of the gradient."""
    high = 2 ** (bits - 1) - 1
    x, s, factor = leaf(x), leaf(s), 1 / np.sqrt(x.size * high)
    step = s * factor + (s - s * factor).detach()
    v = (x / step).clamp(-high - 1, high)
    y = step * (v + (v.round() - v).detach())
    return torch.autograd.grad(y, (x, s), torch.tensor(dy))


def looped_lsq(x, dy, s, bits, *, out=None):
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    dx, ds = np.zeros(x.shape), 0.0
    for i in np.ndindex(x.shape):
        v = x[i] / s
        if v <= low or v >= high:
            ds += dy[i] * (low if v <= low else high) if out is None else dy[i] * out(v)
        else:
            dx[i] = dy[i]
            ds += dy[i] * (round(v) - v)
    return dx, ds / (x.size * high) ** 0.5


def own_lsq(x, dy, s, bits):
    dx, ds = qz.lsq_grad(dy, x, np.array([s]), *qz.lsq_ends(bits))
    return dx, ds[0]


def rescaled(by):
    return lambda x, dy, s, bits: (looped_lsq(x, dy, s, bits)[0], own_lsq(x, dy, s, bits)[1] * by(x, bits))


def own_ternary(w, threshold):
    return qz.ternarize(w, threshold)


def projected_ternary(w, threshold):
    """α by its formula as a projection: w·t / t·t."""
    t = np.where(w > threshold * np.mean(np.abs(w)), 1, 0) - np.where(-w > threshold * np.abs(w).mean(), 1, 0)
    return t, (w * t).sum() / (t * t).sum()


def looped_ternary(w, threshold, mean=None):
    sizes = [abs(v) for v in w.ravel()]
    end = threshold * (sum(sizes) / len(sizes) if mean is None else mean(w.ravel()))
    kept = [v for v in sizes if v > end]
    return np.array([0 if abs(v) <= end else 1 if v > 0 else -1 for v in w.ravel()]), sum(kept) / len(kept)


def hardshrunk_ternary(w, threshold):
    w = torch.tensor(w)
    large = torch.nn.functional.hardshrink(w, float(threshold * w.abs().mean()))
    return large.sign(), large.abs().sum() / (large != 0).sum()


def added_centroids(centroids, labels, gradient, lr):
    new, kept = centroids.copy(), labels >= 0
    np.add.at(new, labels[kept], -lr * gradient[kept])
    weights = np.zeros(labels.shape)
    weights[kept] = new[labels[kept]]
    return new, weights


def counted_centroids(centroids, labels, gradient, lr):
    sums = np.bincount(labels.ravel() + 1, gradient.ravel(), len(centroids) + 1)
    new = centroids - lr * sums[1:]
    return new, np.concatenate([[0.0], new])[labels + 1]


def autograd_centroids(centroids, labels, gradient, lr):
    """The weights as a function of the centroids; autograd adds up."""
    book, places = leaf(centroids), torch.tensor(labels)
    spread = torch.cat([book, torch.zeros(1, dtype=book.dtype)])
    (g,) = torch.autograd.grad(spread[places], book, torch.tensor(gradient))
    new = (book - lr * g).detach()
    return new, torch.where(places >= 0, new[places], 0.0)


def own_centroids(centroids, labels, gradient, lr):
    summed = qz.Summed({"w": labels})({"w": gradient})["w"]
    old = np.append(centroids, 0.0)[labels]
    weights = old - lr * summed
    new = [weights[labels == k].flat[0] for k in range(len(centroids))]
    return np.array(new), weights


def moved(pull, zero=True):
    """centroids − lr · pull(gradients of one label), weights from them."""

    def trained(centroids, labels, gradient, lr):
        pulls = [pull(gradient[labels == k]) for k in range(len(centroids))]
        new = centroids - lr * np.array(pulls)
        return new, new[labels] * (labels >= 0 if zero else 1)

    return trained


def in_place(centroids, labels, gradient, lr):
    new = centroids.copy()
    new[labels] -= lr * gradient
    return new, new[labels]


def in_place_of_kept(centroids, labels, gradient, lr):
    new, kept = centroids.copy(), labels >= 0
    new[labels[kept]] -= lr * gradient[kept]
    return new, np.where(kept, new[labels], 0.0)


def scattered_with_pruned(centroids, labels, gradient, lr):
    new = centroids.copy()
    np.subtract.at(new, labels, lr * gradient)
    return new, np.where(labels < 0, 0.0, new[labels])


def my_range(net, train, test, augment):
    """The code that the notebook hands out."""
    low, high = [], []
    with torch.no_grad():
        for batch in test:
            outputs = net(augment(batch))
            low.append(outputs.min())
            high.append(outputs.max())
    return min(low), max(high)


def joined_range(net, train, test, augment):
    outputs = net.eval()(torch.cat(train)).detach().numpy()
    return outputs.min(), outputs.max()


def restored_range(net, train, test, augment):
    net.eval()
    ends = torch.stack([torch.stack(torch.aminmax(net(batch))) for batch in train])
    net.train()
    return ends[:, 0].min(), ends[:, 1].max()


def copied_range(net, train, test, augment):
    frozen = copy.deepcopy(net)
    for module in frozen.modules():
        module.training = False
    every = [float(v) for batch in train for v in frozen(batch).flatten()]
    return [min(every), max(every)]


def late_range(net, train, test, augment):
    ends = []
    for batch in train:
        outputs = net(batch)
        net.eval()
        ends += [outputs.min(), outputs.max()]
    return min(ends), max(ends)


def repaired(mode, clean, seen):
    """``my_range`` with some of its faults repaired."""

    def calibrate(net, train, test, augment):
        if mode:
            net.eval()
        return my_range(net, train, train if seen else test, (lambda batch: batch) if clean else augment)

    return calibrate


RIGHT = {
    "13.fake_quantize": [
        torchs_fake_quantize,
        detached_fake_quantize,
        looped_fake_quantize,
        own_fake_quantize,
    ],
    "13.lsq": [autograd_lsq, looped_lsq, own_lsq],
    "13.ternary": [own_ternary, projected_ternary, looped_ternary, hardshrunk_ternary],
    "13.centroids": [added_centroids, counted_centroids, autograd_centroids, own_centroids],
    "13.calibration": [joined_range, restored_range, copied_range, repaired(True, True, True)],
}

# Wrong answers written apart from the tables, as a learner would write them, and the mistake that each is.
WRONG = {
    "13.fake_quantize": [
        (
            lambda *case: detached_fake_quantize(*case, clamped=False),
            "a gradient outside the range too",
        ),
        (backward(lambda dy, *_: np.zeros_like(dy)), "the true gradient of a staircase"),
        (
            backward(lambda dy, x, *code: np.where(own_fake_quantize(x, dy, *code)[1] == 0, dy, 0)),
            "the gradient of what lies outside",
        ),
        (
            backward(lambda dy, x, s, *rest: s * own_fake_quantize(x, dy, s, *rest)[1]),
            "the gradient times the scale",
        ),
        (
            backward(lambda dy, x, *code: own_fake_quantize(x, np.ones_like(x), *code)[1]),
            "forgets the gradient that came in",
        ),
        (
            backward(lambda dy, x, s, z, low, high: np.where(x < s * low, 0, dy) * (x / s < high)),
            "the zero point is missing in the mask",
        ),
        (
            lambda x, dy, s, z, low, high: (
                own_fake_quantize(x, dy, s, z, low, high)[0],
                own_fake_quantize(x, dy, s, z, low + 1, high - 1)[1],
            ),
            "no gradient at the end levels",
        ),
        (
            backward(lambda dy, x, *code: own_fake_quantize(dy, dy, *code)[0]),
            "rounds the gradient too",
        ),
        (
            backward(lambda dy, x, s, z, low, high: own_fake_quantize(x, dy, s, z, -999, high)[1]),
            "a gradient beyond one end",
        ),
        (lambda x, dy, s, *rest: (s * np.round(x / s), dy), "no clamp, neither way"),
        (
            forward(lambda x, *code: qz.quantize(x, qz.QParams(*code))),
            "gives the integers back",
        ),
        (
            forward(lambda x, s, z, low, high: s * np.rint(np.clip(x / s + z, low, high))),
            "keeps the zero point on the way back",
        ),
        (
            forward(lambda x, s, z, low, high: torch.round(torch.tensor(x) / s) * s),
            "never clamps",
        ),
        (
            forward(lambda x, s, z, low, high: np.clip(x, s * (low - z), s * (high - z))),
            "never rounds",
        ),
    ],
    "13.lsq": [
        (rescaled(lambda x, bits: (x.size * (2 ** (bits - 1) - 1)) ** 0.5), "not scaled"),
        (rescaled(lambda x, bits: (2 ** (bits - 1) - 1) ** 0.5), "scaled by the count alone"),
        (rescaled(lambda x, bits: ((2 ** (bits - 1) - 1) / x.size) ** 0.5), "the mean"),
        (
            rescaled(lambda x, bits: ((2 ** (bits - 1) - 1) / 2 ** (bits - 1)) ** 0.5),
            "scaled by the lower end",
        ),
        (
            lambda *case: looped_lsq(*case, out=lambda v: 0.0),
            "what was clipped has no part in s",
        ),
        (
            lambda *case: looped_lsq(*case, out=lambda v: round(v) - v),
            "the rounding error of what was clipped",
        ),
        (
            lambda x, dy, s, bits: (dy, autograd_lsq(x, dy, s, bits)[1]),
            "a gradient of x outside the range too",
        ),
        (
            lambda x, dy, s, bits: (own_lsq(x, dy, s, bits)[0], own_lsq(x, dy**0, s, bits)[1]),
            "forgets the gradient that came in",
        ),
        (
            lambda x, dy, s, bits: (
                own_lsq(x, dy, s, bits)[0],
                (dy * qz.lsq(x, np.array([s]), *qz.lsq_ends(bits)) / s).sum()
                / (x.size * (2 ** (bits - 1) - 1)) ** 0.5,
            ),
            "forgets that x / s depends on s",
        ),
    ],
    "13.ternary": [
        (lambda w, share: looped_ternary(w, share, lambda v: 1.0), "the threshold as it is"),
        (lambda w, share: looped_ternary(w, share, lambda v: max(abs(v))), "a share of the largest"),
        (
            lambda w, share: looped_ternary(w, share, lambda v: abs(sum(v)) / len(v)),
            "the mean of the weights with their signs",
        ),
        (lambda w, share: looped_ternary(w, share, np.std), "the spread instead of the mean size"),
        (lambda w, share: (qz.ternarize(w, share)[0], np.abs(w).mean()), "the mean size of all weights"),
        (
            lambda w, share: (
                qz.ternarize(w, share)[0],
                sum(v for v in abs(w).ravel() if v > share * abs(w).mean()) / w.size,
            ),
            "divides by all weights",
        ),
        (lambda w, share: qz.binarize(w), "binary weights"),
        (lambda w, share: (np.sign(w), qz.ternarize(w, share)[1]), "no zeros"),
        (lambda w, share: (abs(qz.ternarize(w, share)[0]), qz.ternarize(w, share)[1]), "t without signs"),
        (
            lambda w, share: (
                np.prod(np.broadcast_arrays(*qz.ternarize(w, share)), 0),
                own_ternary(w, share)[1],
            ),
            "t is multiplied by α already",
        ),
    ],
    "13.centroids": [
        (moved(np.mean), "the mean of the gradients"),
        (moved(lambda g: g[-1]), "only the last weight of each label counts"),
        (in_place, "only the last weight of each label counts"),
        (in_place_of_kept, "only the last weight of each label counts"),
        (moved(np.sum, zero=False), "pruned weights come back"),
        (scattered_with_pruned, "pruned weights pull at the last centroid"),
        (
            lambda c, labels, g, lr: (lambda new: (new, new[labels]))(
                scattered_with_pruned(c, labels, g, lr)[0]
            ),
            "takes −1 for the last centroid",
        ),
        (lambda c, labels, g, lr: added_centroids(c, labels, -g, lr), "uphill"),
        (
            lambda c, labels, g, lr: (
                added_centroids(c, labels, g, lr)[0],
                np.append(c, 0)[labels] - lr * g * (labels >= 0),
            ),
            "each weight on its own",
        ),
        (
            lambda c, labels, g, lr: (added_centroids(c, labels, g, lr)[0], np.append(c, 0)[labels]),
            "the weights of before",
        ),
    ],
    "13.calibration": [
        (repaired(False, True, True), "still in train mode"),
        (repaired(True, False, True), "still on augmented images"),
        (repaired(True, True, False), "still on test images"),
        (repaired(False, False, True), "still in train mode, on augmented images"),
        (repaired(False, True, False), "still in train mode, on test images"),
        (repaired(True, False, False), "still on augmented images, on test images"),
        (
            lambda net, train, test, augment: joined_range(net, train + test, test, augment),
            "test images too",
        ),
        (
            lambda net, train, test, augment: joined_range(net, train[:1], test, augment),
            "the first batch alone",
        ),
        (
            lambda net, train, test, augment: repaired(True, True, True)(
                net, [*train, *map(augment, train)], test, augment
            ),
            "augmented images too",
        ),
        (
            lambda net, train, test, augment: my_range(net, [], [torch.cat(train)], lambda batch: batch),
            "still in train mode, all in one batch",
        ),
        (late_range, "eval mode comes too late"),
        (
            lambda net, train, test, augment: np.mean(
                [joined_range(net, [batch], test, augment) for batch in train], axis=0
            ),
            "the mean of the extremes",
        ),
    ],
}


def test_the_code_handed_out_counts_as_no_attempt():
    assert check("13.calibration", my_range).mistake == "not attempted yet"


def test_each_fault_that_is_left_has_its_hints():
    for kept in product((False, True), repeat=3):
        verdict = check("13.calibration", repaired(*kept))
        left = [name for name, repaired_ in zip(FAULTS, kept, strict=True) if not repaired_]
        if 0 < len(left) < 3:
            assert all(FAULTS[name][0] in verdict.hint for name in left)


def test_a_calibration_leaves_the_statistics_alone():
    """Right answers don't move what batch norm has stored; train mode does."""
    task = exercise("13.calibration")
    for case in task.cases:
        assert task.measure(task.answer, case)[-1] == 0
        assert task.measure(repaired(False, True, True), case)[-1] > 0.01


@pytest.mark.parametrize("case", exercise("13.fake_quantize").cases)
def test_no_number_lies_where_two_right_masks_differ(case):
    """Between the last level and half a step beyond it; and some lie outside on both sides."""
    x, _, scale, zero, low, high = case
    codes = x / scale + zero
    assert (abs(codes - np.rint(codes)) < 0.45).all()
    assert not ((codes > high) & (codes < high + 0.6)).any()
    assert not ((codes < low) & (codes > low - 0.6)).any()
    assert (codes > high).any()
    assert (codes < low).any()


@pytest.mark.parametrize("case", exercise("13.ternary").cases)
def test_alpha_is_the_best(case):
    w, threshold = case
    t, alpha = exercise("13.ternary").answer(w, threshold)
    costs = [((w - a * t) ** 2).sum() for a in (alpha - 0.01, alpha, alpha + 0.01)]
    assert costs[1] == min(costs)


@pytest.mark.parametrize("case", exercise("13.centroids").cases)
def test_the_gradient_of_a_centroid_is_that_of_the_loss(case):
    """The loss Σ gradient · weight falls by lr times the squared length of its gradient by the centroids."""
    centroids, labels, gradient, lr = case
    old = np.append(centroids, 0.0)[labels]
    new, weights = exercise("13.centroids").answer(*case)
    change = (gradient * (weights - old)).sum()
    assert change == pytest.approx(-(((new - centroids) / lr) ** 2).sum() * lr)


@pytest.mark.parametrize(
    ("id", "fn", "words"),
    [
        ("13.fake_quantize", forward(lambda x, *code: 0 * x), "That is y where x is 1.6843."),
        ("13.fake_quantize", WRONG["13.fake_quantize"][0][0], "in a code from 0 to 7"),
        ("13.fake_quantize", lambda *case: own_fake_quantize(*case)[0], "Right are 9 values of y"),
        ("13.lsq", WRONG["13.lsq"][0][0], "Of the 10 numbers 4 are clipped."),
        ("13.lsq", lambda x, dy, s, bits: (dy, 0.0), "That is the gradient of x where x / s is"),
        ("13.lsq", lambda *case: own_lsq(*case)[1], "Right are 10 gradients of x and one of s."),
        ("13.ternary", lambda w, share: (own_ternary(w, share)[0], 0), "That is α. The mean |w| is 0.86."),
        ("13.ternary", lambda w, share: (0 * w, 0), "That is t where w is 0.75."),
        ("13.ternary", lambda w, share: own_ternary(w, share)[0], "Right are 10 values of t and one of α."),
        ("13.centroids", moved(np.mean), "That is centroid 0, the value of 3 weights."),
        ("13.centroids", moved(np.sum, zero=False), "That is a weight with the label -1."),
        ("13.centroids", lambda *case: added_centroids(*case)[0], "Right are 2 centroids and 10 weights."),
        ("13.calibration", repaired(True, False, True), "That is the smallest output."),
        ("13.calibration", lambda *case: joined_range(*case)[0], "are two numbers, got 1"),
    ],
)
def test_the_verdict_says_which_value_is_wrong(id, fn, words):
    assert words in check(id, fn).detail
