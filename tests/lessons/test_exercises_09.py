"""Answers to the exercises of lesson 09, and what is particular about them."""

import numpy as np
import pytest
import torch
from torch.nn.utils import prune as torch_prune

from optviz import prune
from optviz.lessons import check
from optviz.lessons.exercises import exercise
from optviz.optimizers import SGD


def partitioned(w, sparsity):
    k = round(sparsity * w.size)
    kept = np.ones(w.size, dtype=int)
    if k:
        kept[np.argpartition(np.abs(w).ravel(), k - 1)[:k]] = 0
    return kept.reshape(w.shape)


def with_topk(w, sparsity):
    flat = torch.tensor(w).abs().flatten()
    gone = flat.topk(round(sparsity * len(flat)), largest=False).indices
    return torch.ones_like(flat).index_fill(0, gone, 0).reshape(w.shape).bool()


def with_torchs_own(w, sparsity):
    method = torch_prune.L1Unstructured(round(sparsity * w.size))
    return method.compute_mask(torch.tensor(w), torch.ones(w.shape))


def looped_mask(w, sparsity):
    kept = np.full(w.shape, True)
    for _ in range(round(sparsity * w.size)):
        smallest = np.where(kept, abs(w), np.inf).argmin()
        kept.flat[smallest] = False
    return kept


def looped_hold(w, v, mask, X, y, lr, beta, steps):
    w, v = [0.0 if not m else x for x, m in zip(w, mask, strict=True)], list(v)
    for _ in range(steps):
        errors = [sum(a * b for a, b in zip(row, w, strict=True)) - t for row, t in zip(X, y, strict=True)]
        for i in range(len(w)):
            v[i] = beta * v[i] + sum(e * row[i] for e, row in zip(errors, X, strict=True)) / len(y)
        w = [x - lr * b if m else 0.0 for x, b, m in zip(w, v, mask, strict=True)]
    return w


def with_autograd(w, v, mask, X, y, lr, beta, steps):
    """The mask as a view: the loss sees w · mask, and nothing else is changed."""
    weight, keep = torch.tensor(w, requires_grad=True), torch.tensor(mask)
    velocity, X, y = torch.tensor(v), torch.tensor(X), torch.tensor(y)
    for _ in range(steps):
        loss = ((X @ (weight * keep) - y) ** 2).mean() / 2
        (g,) = torch.autograd.grad(loss, weight)
        velocity = beta * velocity + g
        weight = (weight - lr * velocity).detach().requires_grad_()
    return weight * keep


def with_the_room(w, v, mask, X, y, lr, beta, steps):
    hold, rule = prune.masked({"w": mask}), SGD(beta)
    w, state = hold({"w": w})["w"], {"b": v}
    for step in range(steps):
        delta, state = rule.update(X.T @ (X @ w - y) / len(y), state, w, lr, step)
        w = hold({"w": w + delta})["w"]
    return w


def in_place(w, v, mask, X, y, lr, beta, steps):
    w = w.copy()
    w[~mask] = 0
    for _ in range(steps):
        v = beta * v + X.T @ (X @ w - y) / len(y)
        w -= lr * v * mask
    return w


def by_logarithms(final, rounds):
    p = -np.expm1(np.log1p(-final) / rounds)
    left, found = 1.0, []
    for _ in range(rounds):
        left -= p * left
        found.append(1 - left)
    return p, np.array(found)


def by_bisection(final, rounds):
    low, high = 0.0, 1.0
    for _ in range(60):
        p = (low + high) / 2
        low, high = (p, high) if 1 - (1 - p) ** rounds < final else (low, p)
    return [p, [1 - (1 - p) ** i for i in np.arange(rounds) + 1]]


def with_sparsity(weight1, bias1, mask1, weight2, bias2, mask2):
    masks = {"weight1": mask1, "weight2": mask2}
    params = {"weight1": weight1, "bias1": bias1, "weight2": weight2, "bias2": bias2}
    whole = prune.sparsity(masks, params)
    return prune.sparsity(masks), whole, 1 / (1 - whole)


def flat_report(weight1, bias1, mask1, weight2, bias2, mask2):
    kept = np.concatenate([mask1.ravel(), mask2.ravel()])
    everything = np.concatenate([kept, np.ones(len(bias1) + len(bias2), bool)])
    return torch.tensor([1 - kept.mean(), 1 - everything.mean(), everything.size / everything.sum()])


def by_index(weight, bias, draws, rate):
    weight, bias = weight.copy(), bias.copy()
    weight[draws < rate] = 0
    bias[draws < rate] = 0
    return weight, bias


def with_where(weight, bias, draws, rate):
    goes = torch.tensor(draws) < rate
    return torch.where(goes[:, None], 0, torch.tensor(weight)), torch.tensor(bias).masked_fill(goes, 0)


RIGHT = {
    "09.exact": [
        partitioned,
        with_topk,
        with_torchs_own,
        looped_mask,
        lambda w, s: prune.mask({"w": abs(w)}, s)["w"],
    ],
    "09.hold": [looped_hold, with_autograd, with_the_room, in_place],
    "09.twice": [by_logarithms, by_bisection],
    "09.sparsity": [with_sparsity, flat_report],
    "09.rows": [by_index, with_where],
}


def mask_once(w, v, mask, X, y, lr, beta, steps):
    p = torch.nn.Parameter(torch.tensor(w * mask))
    optimizer = torch.optim.SGD([p], lr, beta)
    optimizer.state[p]["momentum_buffer"] = torch.tensor(v)
    for _ in range(steps):
        optimizer.zero_grad()
        (((torch.tensor(X) @ p - torch.tensor(y)) ** 2).mean() / 2).backward()
        optimizer.step()
    return p


def gradient_only(w, v, mask, X, y, lr, beta, steps, start=True):
    w, v = (np.where(mask, w, 0) if start else w), v.copy()
    for _ in range(steps):
        g = X.T @ (X @ w - y) / len(y)
        g[~mask] = 0
        v *= beta
        v += g
        w = w - lr * v
    return w


def too_late(w, v, mask, X, y, lr, beta, steps):
    for _ in range(steps):
        v = beta * v + X.T @ (X @ w - y) / len(y)
        w = mask * (w - lr * v)
    return w


def too_early(w, v, mask, X, y, lr, beta, steps):
    for _ in range(steps):
        w = mask * w
        v = beta * v + X.T @ (X @ w - y) / len(y)
        w = w - lr * v
    return w


def kthvalue(w, sparsity):
    values = torch.tensor(w).abs()
    k = round(sparsity * w.size)
    return values > (values.flatten().kthvalue(k).values if k else -1)


def zeros_in_the_tensors(weight1, bias1, mask1, weight2, bias2, mask2):
    found = [weight1, weight2]
    gone, size = sum(np.count_nonzero(p == 0) for p in found), sum(p.size for p in found)
    total = size + len(bias1) + len(bias2)
    return gone / size, gone / total, total / (total - gone)


def zeros_everywhere(weight1, bias1, mask1, weight2, bias2, mask2):
    weights = np.concatenate([(weight1 * mask1).ravel(), (weight2 * mask2).ravel()])
    everything = np.concatenate([weights, bias1, bias2])
    return np.mean(weights == 0), np.mean(everything == 0), everything.size / np.count_nonzero(everything)


def compress_by_weights(weight1, bias1, mask1, weight2, bias2, mask2):
    prunable, whole, _ = with_sparsity(weight1, bias1, mask1, weight2, bias2, mask2)
    return prunable, whole, 1 / (1 - prunable)


def mean_of_layers(*layers):
    found = with_sparsity(*layers)
    return (np.mean(~layers[2]) + np.mean(~layers[5])) / 2, found[1], found[2]


def only_weights(weight, bias, draws, rate):
    return by_index(weight, bias, draws, rate)[0], bias


def cut_out(weight, bias, draws, rate):
    return np.delete(weight, draws < rate, axis=0), np.delete(bias, draws < rate)


def sorted_rows(weight, bias, draws, rate):
    order = np.concatenate([np.flatnonzero(draws > rate), np.flatnonzero(draws <= rate)])
    return weight[order], bias


# Wrong answers written apart from the tables, as a learner would write them, and the mistake that each is.
WRONG = {
    "09.exact": [
        (kthvalue, "drops all ties"),
        (
            lambda w, s: np.abs(w) > sorted(np.abs(w).ravel())[round(s * w.size) - 1],
            "drops all ties, and everything at sparsity 0",
        ),
        (lambda w, s: np.abs(w) >= sorted(np.abs(w).ravel())[round(s * w.size)], "keeps all ties"),
        (
            lambda w, s: torch.tensor(abs(w)) > torch.quantile(torch.tensor(abs(w)), s),
            "a quantile as threshold",
        ),
        (lambda w, s: partitioned(w, int(s * w.size) / w.size), "rounds down"),
        (lambda w, s: partitioned(np.exp(w), s), "forgets the absolute value"),
        (lambda w, s: 1 - partitioned(w, s), "True where a weight goes"),
        (lambda w, s: looped_mask(w, 1 - s), "sparsity as the share that stays"),
        (lambda w, s: partitioned(2 - abs(w), s), "removes the largest"),
    ],
    "09.hold": [
        (mask_once, "masks once, then trains"),
        (gradient_only, "masks only the gradient"),
        (lambda *a: gradient_only(*a, start=False), "masks the gradient, never the weights"),
        (too_late, "the first gradient sees the dense weights"),
        (too_early, "masks before the update"),
        (
            lambda w, v, mask, *rest: mask * mask_once(w, v, mask | True, *rest).detach().numpy(),
            "trains first, prunes at the end",
        ),
        (
            lambda w, v, mask, X, y, lr, beta, steps: in_place(w, v, mask, X, y, lr, 0.0, steps),
            "loses the velocity",
        ),
    ],
    "09.twice": [
        (lambda final, rounds: (final / rounds, np.linspace(0, final, rounds + 1)[1:]), "adds the shares"),
        (
            lambda final, rounds: (
                final / rounds,
                1 - np.cumprod(np.full(rounds, 1 - final / rounds)),
            ),
            "splits the final sparsity evenly",
        ),
        (
            lambda final, rounds: (by_logarithms(final, rounds)[0], 1 - by_logarithms(final, rounds)[1]),
            "gives what stays",
        ),
        (
            lambda final, rounds: (1 - by_logarithms(final, rounds)[0], by_logarithms(final, rounds)[1]),
            "p is the share that stays",
        ),
        (
            lambda final, rounds: (
                by_logarithms(final, rounds)[0],
                [0, *by_logarithms(final, rounds)[1][:-1]],
            ),
            "starts before the first round",
        ),
    ],
    "09.sparsity": [
        (mean_of_layers, "averages the layers"),
        (lambda *a: (with_sparsity(*a)[0],) * 2 + (1 / (1 - with_sparsity(*a)[0]),), "leaves out the biases"),
        (lambda *a: (with_sparsity(*a)[1], *with_sparsity(*a)[1:]), "counts the biases in both"),
        (compress_by_weights, "forgets the biases in what is left"),
        (zeros_in_the_tensors, "looks for zeros before the masks are applied"),
        (zeros_everywhere, "takes every 0 for a pruned one"),
        (
            lambda *a: (*with_sparsity(*a)[:2], 1 / with_sparsity(*a)[2]),
            "the share that is left, turned round",
        ),
    ],
    "09.rows": [
        (only_weights, "its bias still speaks"),
        (cut_out, "makes the layer smaller"),
        (sorted_rows, "permutes the rows, not the biases"),
        (lambda weight, bias, draws, rate: by_index(weight, bias, -draws, -rate), "keeps what should go"),
        (
            lambda weight, bias, draws, rate: (weight, by_index(weight, bias, draws, rate)[1]),
            "only the bias goes",
        ),
        (
            lambda weight, bias, draws, rate: [
                torch.tensor(part) / (1 - rate) for part in by_index(weight, bias, draws, rate)
            ],
            "scales what stays, as dropout does",
        ),
    ],
}


def test_any_of_equal_weights_may_go():
    """The last ones instead of the first ones."""

    def from_the_end(w, sparsity):
        return partitioned(w.ravel()[::-1], sparsity)[::-1].reshape(w.shape)

    w = np.array([[0.2, -0.2, 0.2, 0.1]])
    assert (from_the_end(w, 0.5) != exercise("09.exact").answer(w, 0.5)).any()
    assert check("09.exact", from_the_end).passed


@pytest.mark.parametrize(
    ("fn", "words"),
    [
        (lambda w, s: w * partitioned(w, s), "other values"),
        (lambda w, s: partitioned(w, s).ravel(), "shape of w"),
    ],
)
def test_what_is_no_mask_is_told_so(fn, words):
    verdict = check("09.exact", fn)
    assert not verdict.passed
    assert words in verdict.detail


def test_the_faulty_code_prunes_nothing_and_counts_as_no_attempt():
    task = exercise("09.rows")
    for weight, bias, draws, rate in task.cases:
        new, moved = task.given(weight, bias, draws, rate)
        assert sorted(map(tuple, new)) == sorted(map(tuple, weight))
        assert sorted(moved) == sorted(bias)
    assert check("09.rows", task.given).mistake == "not attempted yet"


def test_masks_written_in_place_are_noticed():
    def spoils(weight, bias, draws, rate):
        weight[draws < rate] = 0
        return weight, bias

    assert check("09.rows", spoils).mistake == "changes its arguments"
