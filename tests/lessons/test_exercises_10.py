"""Answers to the exercises of lesson 10, and what is particular about them."""

from itertools import pairwise

import numpy as np
import torch
from torch import nn

from optviz import prune
from optviz.lessons import check


def looped_scores(w, a, count):
    by_weight = [sum(abs(x) for x in row) for row in w]
    by_activation = [sum(column) / len(column) for column in a.T]
    units = range(len(w))
    return (
        sorted(units, key=by_weight.__getitem__)[:count],
        sorted(units, key=by_activation.__getitem__)[:count],
    )


def torch_scores(w, a, count):
    w, a = torch.tensor(w), torch.tensor(a)
    scores = w.norm(p=1, dim=1), a.mean(dim=0)
    return [torch.topk(s, count, largest=False).indices for s in scores]


def library_scores(w, a, count):
    scores = {"weight": abs(w).sum(1), "activation": a.sum(0)}
    kept = prune.mask(scores, count / len(w), prune.Layer())
    return [np.flatnonzero(~kept[name]) for name in scores]


def deleted(w1, b1, norm, w2, b2, keep):
    gone = np.flatnonzero(~keep)
    return [
        np.delete(w1, gone, axis=0),
        np.delete(b1, gone),
        np.delete(norm, gone, axis=1),
        np.delete(w2, gone, axis=1),
        b2.copy(),
    ]


def with_shrink(w1, b1, norm, w2, b2, keep):
    """The library itself, on real layers."""
    (hidden, inputs), outputs = w1.shape, len(b2)
    net = nn.Sequential(
        nn.Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, outputs)
    ).double()
    names = ("0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var", "3.weight")
    values = dict(zip((*names, "3.bias"), (w1, b1, *norm, w2, b2), strict=True))
    net.load_state_dict({k: torch.tensor(v) for k, v in values.items()}, strict=False)
    left = prune.shrink(net, {"0": keep}, torch.zeros(1, inputs, dtype=torch.float64)).state_dict()
    found = [left[name] for name in (*names, "3.bias")]
    return found[0], found[1], torch.stack(found[2:6]), found[6], found[7]


def torch_flatten(w, keep):
    blocks = torch.tensor(w).unflatten(1, (len(keep), -1))
    return blocks[:, torch.tensor(keep)].flatten(1)


def looped_flatten(w, keep):
    pixels = w.shape[1] // len(keep)
    return np.hstack([w[:, c * pixels : (c + 1) * pixels] for c in range(len(keep)) if keep[c]])


def looped_macs(widths, share):
    total, last = [], len(widths) - 1
    for i in range(last):
        inputs = widths[i] if i == 0 else widths[i] - share * widths[i]
        outputs = widths[i + 1] if i + 1 == last else widths[i + 1] - share * widths[i + 1]
        total.append(inputs * outputs)
    return total


def factored_macs(widths, share):
    work = np.asarray(widths[:-1] * widths[1:], float)
    work[:-1] *= 1 - share
    work[1:] *= 1 - share
    return torch.tensor(work)


RIGHT = {
    "10.scores": [looped_scores, torch_scores, library_scores],
    "10.shrink": [deleted, with_shrink],
    "10.flatten": [torch_flatten, looped_flatten],
    "10.macs": [looped_macs, factored_macs],
}

# Wrong answers written apart from the tables, as a learner would write them, and the mistake that each is.
WRONG = {
    "10.scores": [
        (
            lambda w, a, n: (np.abs(w).mean(axis=0).argsort()[:n], a.mean(axis=0).argsort()[:n]),
            "ranks the inputs",
        ),
        (
            lambda w, a, n: (
                torch.tensor(w).abs().sum(1).topk(n).indices,
                torch.tensor(a).mean(0).topk(n).indices,
            ),
            "takes the largest",
        ),
        (
            lambda w, a, n: (np.argsort(w.mean(1))[:n], np.argsort(a.sum(0))[:n]),
            "adds weights with their signs",
        ),
        (
            lambda w, a, n: (np.argsort(np.linalg.norm(w, axis=1))[:n], np.argsort(a.mean(0))[:n]),
            "adds squares",
        ),
        (lambda w, a, n: [looped_scores(w, a, n)[0]] * 2, "one ranking for both"),
        (lambda w, a, n: (looped_scores(w, a, n)[0], np.argsort(a.sum(1))[:n]), "ranks the examples"),
        (
            lambda w, a, n: (looped_scores(w, a, n)[0], np.argsort(np.count_nonzero(a, axis=0))[:n]),
            "counts how often a unit is on",
        ),
        (
            lambda w, a, n: (np.argsort(-abs(w).sum(1))[: len(w) - n], np.argsort(-a.mean(0))[: len(w) - n]),
            "returns what stays",
        ),
    ],
    "10.shrink": [
        (
            lambda w1, b1, norm, w2, b2, k: (w1[k], b1[k], norm[:, k], w2, b2),
            "forgets the next layer's inputs",
        ),
        (lambda w1, b1, norm, w2, b2, k: (w1[k], b1[k], norm, w2[:, k], b2), "forgets the norm"),
        (lambda w1, b1, norm, w2, b2, k: (w1[k], b1, norm[:, k], w2[:, k], b2), "forgets the bias"),
        (
            lambda w1, b1, norm, w2, b2, k: (w1[k], b1[k], norm[:, k], w2[k][:, k], b2[k]),
            "prunes the classes",
        ),
        (
            lambda w1, b1, norm, w2, b2, k: (w1[:, k], b1[k], norm[:, k], w2[:, k], b2),
            "cuts the inputs of the first layer",
        ),
        (lambda w1, b1, norm, w2, b2, k: deleted(w1, b1, norm, w2, b2, ~k), "keeps what should go"),
        (
            lambda w1, b1, norm, w2, b2, k: (w1 * k[:, None], b1 * k, norm * k, w2 * k, b2),
            "zeros instead of removing",
        ),
        (
            lambda w1, b1, norm, w2, b2, k: (np.vstack([w1[k], w1[~k]]), b1, norm, w2, b2),
            "moves rows instead of removing them",
        ),
    ],
    "10.flatten": [
        (
            lambda w, k: w[:, np.concatenate([k, np.ones(w.shape[1] - len(k), bool)])],
            "channel c is column c",
        ),
        (
            lambda w, k: w.reshape(len(w), -1, len(k))[:, :, k].reshape(len(w), -1),
            "pixels before channels",
        ),
        (lambda w, k: w[:, : w.shape[1] * k.sum() // len(k)], "keeps the first columns"),
        (lambda w, k: w.reshape(len(w), len(k), -1)[:, k, 0], "one column a channel"),
        (lambda w, k: np.compress(k, w, axis=0), "cuts rows"),
        (lambda w, k: looped_flatten(w, ~k), "keeps what should go"),
        (lambda w, k: w * np.kron(k, np.ones(w.shape[1] // len(k))), "zeros instead of removing"),
    ],
    "10.macs": [
        (
            lambda n, r: [a * b * (1 - r) ** 2 for a, b in pairwise(n)],
            "the square everywhere",
        ),
        (lambda n, r: n[:-1] * n[1:] - r * n[:-1] * n[1:], "one factor for all layers"),
        (
            lambda n, r: [n[i] * n[i + 1] * (1 if i == len(n) - 2 else 1 - r) for i in range(len(n) - 1)],
            "forgets the next layer's inputs",
        ),
        (
            lambda n, r: [n[i] * n[i + 1] * (1 - r if i else 1) for i in range(len(n) - 1)],
            "forgets the layer's own outputs",
        ),
        (lambda n, r: looped_macs(n, 1 - r), "counts what goes"),
        (lambda n, r: n[1:] * n[:-1], "nothing gets smaller"),
        (lambda n, r: sum(looped_macs(n, r)), "the total"),
    ],
}


def test_the_widths_of_the_exercise_are_those_of_a_network_that_shrinks():
    widths, share = (64, 32, 32, 10), 0.5
    net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 10))
    x = torch.zeros(1, 64)
    small = prune.shrink(net, prune.choose_units(prune.unit_scores(net, x), share), x)
    assert [layer.weight.numel() for layer in small[::2]] == looped_macs(widths, share)


def test_a_shape_that_is_wrong_is_said():
    verdict = check("10.flatten", lambda w, keep: w)
    assert verdict.mistake == "wrong values"
    assert "the answer has shape (2, 6), and (2, 4) is right." in verdict.detail
    uncut = check("10.shrink", lambda w1, b1, norm, w2, b2, k: (w1[k], b1[k], norm[:, k], w2, b2))
    assert uncut.detail.endswith("w2 has shape (2, 3), and (2, 2) is right.")
    few = check("10.shrink", lambda w1, b1, norm, w2, b2, k: (w1[k], b1[k]))
    assert few.detail.endswith("5 arrays are asked for: w1, b1, norm, w2, b2.")
