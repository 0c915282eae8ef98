"""Answers to the exercises of lesson 11, and what is particular about them."""

import numpy as np
import pytest
import torch

from optviz.lessons import check
from optviz.lessons.exercises import exercise

soft = torch.nn.functional.softshrink


def torch_lasso(w, b, X, y, lr, strength, steps):
    """Autograd for the gradients, torch's own threshold."""
    w, b = torch.tensor(w, requires_grad=True), torch.tensor(b, dtype=torch.float64, requires_grad=True)
    X, y = torch.tensor(X), torch.tensor(y)
    for _ in range(steps):
        loss = ((X @ w + b - y) ** 2).mean() / 2
        gw, gb = torch.autograd.grad(loss, (w, b))
        with torch.no_grad():
            w, b = soft(w - lr * gw, lr * strength), b - lr * gb
        w.requires_grad_()
        b.requires_grad_()
    return w.detach(), b.detach()


def looped_lasso(w, b, X, y, lr, strength, steps, *, threshold=None, bias=0.0):
    t = lr * strength if threshold is None else threshold
    for _ in range(steps):
        r = X @ w + b - y
        new = []
        for j in range(len(w)):
            v = w[j] - lr * (X[:, j] * r).mean()
            new.append(v - t if v > t else v + t if v < -t else 0.0)
        b = b - lr * r.mean()
        b = np.sign(b) * max(abs(b) - bias, 0)
        w = np.array(new)
    return [*list(w), b]


def clipped_lasso(w, b, X, y, lr, strength, steps, slow=1):
    for _ in range(steps):
        r = X @ w + b - y
        v, b = w - lr * X.T @ r / len(y), b - slow * lr * r.mean()
        w = v - np.clip(v, -lr * strength, lr * strength)
    return w, b


def subgradient_lasso(w, b, X, y, lr, strength, steps):
    for _ in range(steps):
        r = X @ w + b - y
        w, b = w - lr * X.T @ r / len(y) - lr * strength * np.sign(w), b - lr * r.mean()
    return w, b


def looped_groups(W, lr, strength):
    out = np.zeros_like(W)
    for u, row in enumerate(W):
        length, t = np.linalg.norm(row), lr * strength * len(row) ** 0.5
        if length > t:
            out[u] = row - t * row / length
    return out


def torch_groups(W, lr, strength):
    W = torch.tensor(W)
    t = lr * strength * W.shape[1] ** 0.5
    return W - W.renorm(2, 0, t) if t else W  # a row less its projection on the ball of radius t


def sorted_ticket(start, trained, mask, share):
    left = sorted((abs(trained[i]), i) for i in np.ndindex(mask.shape) if mask[i])
    going = {i for _, i in left[: round(share * len(left))]}
    new = np.array([[bool(mask[i]) and i not in going] for i in np.ndindex(mask.shape)]).reshape(mask.shape)
    return np.where(new, start, 0), new


def torch_ticket(start, trained, mask, share):
    size = torch.tensor(trained).abs().masked_fill(~torch.tensor(mask), -1.0).flatten()
    gone = int((~mask).sum()) + round(share * int(mask.sum()))
    new = torch.ones(size.shape, dtype=torch.bool)
    new[size.argsort()[:gone]] = False
    new = new.view(mask.shape)
    return torch.tensor(start) * new, new


def keeping(weights):
    """A round whose mask is right and whose weights are ``weights(start, trained, new mask)``."""

    def play(start, trained, mask, share):
        new = torch_ticket(start, trained, mask, share)[1].numpy()
        return weights(start, trained, new), new

    return play


def topk_two_four(W):
    blocks = torch.tensor(W).abs().reshape(-1, 4)
    return (
        torch.zeros(blocks.shape, dtype=torch.bool).scatter(1, blocks.topk(2, 1).indices, True).view(W.shape)
    )


def looped_two_four(W):
    mask = np.zeros(W.shape, bool)
    for i in range(W.shape[0]):
        for j in range(0, W.shape[1], 4):
            mask[i, j + np.argsort(-abs(W[i, j : j + 4]))[:2]] = True
    return mask


def last_two(W):  # of equal ones it keeps others than the functions above
    mask = np.zeros((W.size // 4, 4))
    np.put_along_axis(mask, np.argsort(np.abs(W).reshape(-1, 4), axis=1)[:, 2:], 1, axis=1)
    return mask.reshape(W.shape)


def columns_two_four(W):
    mask = np.zeros(W.shape, bool)
    for i in range(0, W.shape[0], 4):
        np.put_along_axis(mask[i : i + 4], np.argsort(-abs(W[i : i + 4]), axis=0)[:2], True, axis=0)
    return mask


RIGHT = {
    "11.prox": [torch_lasso, looped_lasso, clipped_lasso],
    "11.groups": [looped_groups, torch_groups],
    "11.rewind": [sorted_ticket, torch_ticket],
    "11.two_four": [topk_two_four, looped_two_four, last_two],
}

# Wrong answers written apart from the tables, as a learner would write them, and the mistake that each is.
WRONG = {
    "11.prox": [
        (
            lambda w, b, X, y, lr, s, n: looped_lasso(w, b, X, y, lr, s, n, threshold=s),
            "a threshold without the rate",
        ),
        (
            lambda w, b, X, y, lr, s, n: looped_lasso(w, b, X, y, lr, s, n, bias=lr * s),
            "shrinks the bias too",
        ),
        (subgradient_lasso, "a subgradient instead of a threshold"),
        (lambda w, b, X, y, lr, s, n: clipped_lasso(w, b, X, y, lr, 0.0, n), "no penalty at all"),
        (
            lambda w, b, X, y, lr, s, n: (clipped_lasso(w, b, X, y, lr, s, n, slow=0)[0], b),
            "leaves the bias where it was",
        ),
        (
            lambda w, b, X, y, lr, s, n: (lambda v, c: (np.sign(v) * np.maximum(abs(v) - lr * s, 0), c))(
                *clipped_lasso(w, b, X, y, lr, 0.0, n)
            ),
            "thresholds once, at the end",
        ),
    ],
    "11.groups": [
        (lambda W, lr, s: soft(torch.tensor(W), lr * s), "each weight on its own"),
        (lambda W, lr, s: looped_groups(W, lr, s / W.shape[1] ** 0.5), "forgets the size of the group"),
        (lambda W, lr, s: looped_groups(W, lr, s * W.shape[1] ** 0.5), "the size instead of its root"),
        (lambda W, lr, s: looped_groups(W.T, lr, s).T, "columns instead of rows"),
        (lambda W, lr, s: looped_groups(W, 1.0, s), "a threshold without the rate"),
        (
            lambda W, lr, s: W * (np.linalg.norm(W, axis=1) > lr * s * W.shape[1] ** 0.5)[:, None],
            "all or nothing",
        ),
    ],
    "11.rewind": [
        (keeping(lambda start, trained, new: np.where(new, trained, 0.0)), "keeps the trained weights"),
        (keeping(lambda start, trained, new: start.copy()), "loses the mask"),
        (
            keeping(lambda start, trained, new: new * np.random.default_rng(0).normal(size=start.shape)),
            "draws a new start",
        ),
        (
            lambda start, trained, mask, p: torch_ticket(start, start, mask, p),
            "ranks the weights of the start",
        ),
        (
            lambda start, trained, mask, p: torch_ticket(start, 9 - abs(trained), mask, p),
            "removes the largest",
        ),
        (lambda s, t, mask, p: torch_ticket(s, t, mask, 1 - p), "keeps the share that should go"),
        (
            lambda start, trained, mask, p: (torch_ticket(start, trained, mask, p)[0], mask),
            "returns the old mask",
        ),
        (
            lambda start, trained, mask, p: torch_ticket(start, trained, mask | True, p),
            "counts the share of all weights",
        ),
    ],
    "11.two_four": [
        (columns_two_four, "along the wrong axis"),
        (
            lambda W: np.concatenate(
                [abs(b) >= np.sort(abs(b), axis=1)[:, -2:-1] for b in np.split(W, W.shape[1] // 4, axis=1)], 1
            ),
            "equal weights: keeps more than two",
        ),
        (
            lambda W: np.concatenate(
                [abs(b) > np.sort(abs(b), axis=1)[:, 1:2] for b in np.split(W, W.shape[1] // 4, axis=1)], 1
            ),
            "equal weights: keeps fewer than two",
        ),
        (lambda W: ~looped_two_four(W), "keeps the smallest"),
        (
            lambda W: np.tile([True, False], W.size // 2).reshape(W.shape),
            "every second one, whatever its size",
        ),
        (lambda W: looped_two_four(W + 100), "by value"),
    ],
}


def test_a_ticket_with_a_random_start_is_not_a_ticket():
    """Whatever is drawn: the check looks at where the weights come from."""
    draw = keeping(lambda start, trained, new: new * torch.randn(start.shape).numpy())
    with torch.random.fork_rng():
        torch.manual_seed(3)
        assert check("11.rewind", draw).mistake == "draws a new start"


def test_returning_weights_instead_of_a_mask_says_so():
    verdict = check("11.two_four", lambda W: W * looped_two_four(W))
    assert not verdict.passed
    assert "a mask holds True and False only" in verdict.detail


def test_a_mask_of_another_shape_says_so():
    verdict = check("11.two_four", lambda W: looped_two_four(W).reshape(-1, 4))
    assert "the mask has the shape" in verdict.detail


def test_the_lasso_has_zeros_where_the_data_do_not_need_weights():
    case = exercise("11.prox").cases[2]
    w, _ = exercise("11.prox").answer(*case)
    assert 0 < np.count_nonzero(w) < len(w)


@pytest.mark.parametrize("case", exercise("11.groups").cases)
def test_the_group_step_minimizes_what_it_should(case):
    """½‖V − W‖² + lr·strength·√n·Σ‖V[u]‖ is larger everywhere around the answer."""
    W, lr, strength = case

    def cost(V):
        return ((V - W) ** 2).sum() / 2 + lr * strength * W.shape[1] ** 0.5 * np.linalg.norm(V, axis=1).sum()

    best, rng = exercise("11.groups").answer(*case), np.random.default_rng(0)
    assert all(cost(best) <= cost(best + 0.01 * rng.normal(size=W.shape)) for _ in range(50))
