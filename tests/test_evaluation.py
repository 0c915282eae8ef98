"""Accuracy, intervals and tests against scikit-learn and scipy; what verdicts say, and how often they err."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from sklearn.metrics import accuracy_score

from optviz import evaluation
from optviz.evaluation import accuracy, holm, holm_paired, paired, seed_interval, verdict, wilson

# --- accuracy ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_without_a_logit_is_refused(label: int) -> None:
    with pytest.raises(ValueError, match=rf"accuracy\.labels must be in 0 … 2, got {label}"):
        accuracy(np.zeros((2, 3)), np.array([0, label]))


def test_accuracy_is_scikit_learns():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(3, 40, 5)), rng.integers(0, 5, 40)
    expected = [accuracy_score(labels, row.argmax(-1)) for row in logits]
    np.testing.assert_allclose(accuracy(logits, labels), expected)
    np.testing.assert_allclose(accuracy(logits.argmax(-1), labels), expected)
    assert accuracy(logits[0].astype(np.float32), labels) == pytest.approx(expected[0])
    assert accuracy(logits[0].argmax(-1).tolist(), labels.tolist()) == pytest.approx(expected[0])


def test_a_diverged_run_has_no_accuracy():
    logits = np.zeros((3, 4, 2))
    logits[1, 2, 0] = np.nan
    logits[2, 0, 1] = np.inf
    result = accuracy(logits, np.zeros(4, int))
    assert result[0] == 1.0
    assert np.isnan(result[1])
    assert result[2] == 0.75
    assert np.isnan(accuracy(logits[1], np.zeros(4, int)))


@pytest.mark.parametrize(
    ("predictions", "labels", "message"),
    [
        (np.zeros((4, 3)), np.zeros(5, int), r"accuracy\.predictions must be logits of shape \(5, C\)"),
        (
            np.zeros(4),
            np.zeros(4, int),
            r"accuracy\.predictions must be logits of shape \(4, C\) .* got \(4,\)",
        ),
        (np.zeros((4, 0)), np.zeros(4, int), r"accuracy\.predictions must be logits"),
        (np.zeros(3, int), np.zeros(4, int), r"accuracy\.predictions must be class ids of shape \(4,\)"),
        (np.zeros((0, 3)), np.zeros(0, int), r"accuracy\.labels must be of shape \(N,\), N >= 1"),
        (np.zeros((4, 3)), np.zeros((4, 1), int), r"accuracy\.labels must be"),
    ],
)
def test_accuracy_refuses(predictions, labels, message):
    with pytest.raises(ValueError, match=message):
        accuracy(predictions, labels)


# --- intervals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
def test_wilson_is_scipys(level):
    for total in (1, 7, 270):
        for correct in {0, 1, total // 2, total}:
            reference = stats.binomtest(correct, total).proportion_ci(level, "wilson")
            np.testing.assert_allclose(wilson(correct, total, level), reference, atol=1e-12)


def test_wilson_of_arrays_and_at_the_ends():
    low, high = wilson(np.array([0, 135, 270]), 270)
    assert low[0] == 0.0
    assert high[2] == 1.0
    assert ((low >= 0) & (high <= 1) & (low < high)).all()


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-100, 100), min_size=2, max_size=12), st.sampled_from([0.8, 0.95, 0.99]))
def test_seed_interval_is_scipys(values, level):
    mean, half = seed_interval(values, level)
    spread = np.std(values, ddof=1) / np.sqrt(len(values))
    assert mean == pytest.approx(np.mean(values))
    assert half == pytest.approx(stats.t.ppf((1 + level) / 2, len(values) - 1) * spread)


def test_seed_interval_along_an_axis():
    values = np.random.default_rng(0).normal(size=(3, 5, 2))
    mean, half = seed_interval(values, axis=1)
    assert mean.shape == half.shape == (3, 2)
    assert (mean[2, 1], half[2, 1]) == pytest.approx(seed_interval(values[2, :, 1]))


def test_one_seed_has_no_interval():
    mean, half = seed_interval([0.9])
    assert mean == 0.9
    assert np.isnan(half)
    assert np.isnan(seed_interval(np.ones((3, 1)))[1]).all()


def test_a_diverged_seed_leaves_nothing():
    mean, half = seed_interval([[0.9, np.nan], [0.9, 0.8]])
    assert np.isnan([mean[0], half[0]]).all()
    assert np.isfinite([mean[1], half[1]]).all()


def test_intervals_cover_what_they_promise():
    rng = np.random.default_rng(0)
    mean, half = seed_interval(rng.normal(3.0, 2.0, (20_000, 5)))
    assert (np.abs(mean - 3.0) <= half).mean() == pytest.approx(0.95, abs=0.006)
    low, high = wilson(rng.binomial(270, 0.95, 20_000), 270)
    assert ((low <= 0.95) & (high >= 0.95)).mean() == pytest.approx(0.95, abs=0.02)  # counts are discrete


# --- tests of a difference --------------------------------------------------------------------------------


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 12), level=st.sampled_from([0.8, 0.95, 0.99]))
def test_paired_is_scipys(seed, n, level):
    a, b = np.random.default_rng(seed).normal(size=(2, n))
    got, reference = paired(a, b, level), stats.ttest_rel(a, b)
    interval = reference.confidence_interval(level)
    assert got.n == n
    assert got.p == pytest.approx(reference.pvalue, rel=1e-9)
    assert (got.mean - got.half_width, got.mean + got.half_width) == pytest.approx(
        (interval.low, interval.high)
    )


def test_paired_without_spread():
    assert paired([0.5, 0.75], [0.5, 0.75]) == evaluation.Paired(0.0, 0.0, 1.0, 2)
    assert paired([0.75, 1.0], [0.5, 0.75]) == evaluation.Paired(0.25, 0.0, 0.0, 2)
    cautious = paired([0.75, 1.0], [0.5, 0.75], resolution=0.25)
    assert cautious.p > 0.05
    assert cautious.half_width > 0.25


def test_paired_with_one_seed():
    result = paired([0.75], [0.5])
    assert (result.mean, result.n) == (0.25, 1)
    assert np.isnan([result.half_width, result.p]).all()


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.04, 0.01], [0.04, 0.02]),
        ([0.6, 0.7], [1.0, 1.0]),
        ([0.2], [0.2]),
        ([], []),
        # R: p.adjust(c(0.50, 0.01, 0.001, 0.69, 0.02, 0.05, 0.0025), "holm")
        ([0.50, 0.01, 0.001, 0.69, 0.02, 0.05, 0.0025], [1.0, 0.05, 0.007, 1.0, 0.08, 0.15, 0.015]),
    ],
)
def test_holm(p, expected):
    np.testing.assert_allclose(holm(p), expected)


@settings(max_examples=50)
@given(
    values=arrays(np.float64, (4, 5), elements=st.integers(0, 40).map(lambda n: n / 40)),
    level=st.sampled_from([0.8, 0.95, 0.99]),
)
def test_intervals_after_holm_agree_with_his_p_values(values, level):
    found = holm_paired([(values[0], other) for other in values[1:]], level, resolution=0.01)
    plain = [paired(values[0], other, level, resolution=0.01) for other in values[1:]]
    np.testing.assert_allclose([pair.p for pair in found], holm([pair.p for pair in plain]))
    for pair, alone in zip(found, plain, strict=True):
        assert pair.mean == alone.mean
        assert pair.half_width >= alone.half_width - 1e-12
        if abs(pair.p - (1 - level)) > 1e-9:
            assert (abs(pair.mean) > pair.half_width) == (pair.p < 1 - level)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilson(5, 4), r"wilson\.correct must be in 0 … 4, got 5"),
        (lambda: wilson(-1, 4), r"wilson\.correct must be"),
        (lambda: wilson(0, 0), r"wilson\.total must be at least 1, got 0"),
        (lambda: wilson(1, 2, 1.0), r"wilson\.level must be in \(0, 1\), got 1\.0"),
        (lambda: wilson(1, 2, 95), r"wilson\.level must be in \(0, 1\), got 95"),
        (lambda: seed_interval([]), r"seed_interval\.values must be at least one a seed"),
        (lambda: seed_interval([1, 2], 0), r"seed_interval\.level must be"),
        (lambda: paired([1, 2], [1]), r"paired\.a and b must be of one shape"),
        (lambda: paired([], []), r"paired\.a and b must be of one shape"),
        (lambda: paired([1, np.nan], [1, 2]), r"paired\.a and b must be finite"),
        (lambda: paired([1, 2], [1, 2], level=2), r"paired\.level must be"),
        (lambda: holm([0.1, 1.1]), r"holm\.p_values must be in \[0, 1\]"),
        (lambda: holm([np.nan]), r"holm\.p_values must be in \[0, 1\]"),
        (lambda: holm_paired([([1], [2])]), r"holm_paired\.pairs must be of two or more seeds"),
        (lambda: holm(0.1), r"holm\.p_values must be of shape \(m,\)"),
        (lambda: verdict({}, 10), r"verdict\.values must be runs with the same number of seeds"),
        (lambda: verdict({"a": []}, 10), r"verdict\.values must be runs"),
        (lambda: verdict({"a": [0.5], "b": [0.5, 0.6]}, 10), r"verdict\.values must be runs"),
        (
            lambda: verdict({"a": [95.2]}, 10),
            r"verdict\.values\['a'\] must be fractions in \[0, 1\], got \[95\.2\]",
        ),
        (lambda: verdict({"a": [0.5]}, 0), r"verdict\.n_examples must be at least 1, got 0"),
        (lambda: verdict({"a": [0.5]}, 10, level=1), r"verdict\.level must be"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- verdicts ---------------------------------------------------------------------------------------------

NOISE = np.array([0.004, -0.002, 0.001, -0.004, 0.002])  # what a seed does to all its runs
OWN = np.array([0.001, 0.0, -0.001, 0.002, -0.002])
NAN = float("nan")


def around(mean, own=OWN):
    return mean + NOISE + own


def test_one_is_ahead():
    v = verdict({"step": around(0.94), "cosine": around(0.952, -OWN)}, 270)
    assert v.headline == "cosine is ahead of step by 1.2 ± 0.4 points (5 seeds)."
    assert (
        v.sampling == "With 270 validation images each accuracy has a sampling error of about ± 2.7 points."
    )
    assert v.text == f"{v.headline} {v.sampling}"
    assert (v.best, v.ahead, dict(v.diverged)) == ("cosine", ("step",), {})
    plain = paired(around(0.952, -OWN), around(0.94))
    assert v.pairs["step"].mean == pytest.approx(plain.mean)
    assert v.pairs["step"].half_width == pytest.approx(plain.half_width)


def test_too_close():
    v = verdict({"cosine": around(0.951, 4 * OWN), "step": around(0.95, -OWN)}, 270)
    assert v.headline == "cosine and step: cannot tell apart yet (0.1 ± 1.0 points, 5 seeds): add seeds."
    assert v.ahead == ()


def test_one_seed():
    v = verdict({"cosine": [0.95], "step": [0.90]}, 270)
    assert v.headline == "one seed only: no ranking; add seeds."
    assert v.best == "cosine"
    assert v.pairs == {}


def test_one_run():
    assert verdict({"cosine": around(0.95)}, 270).headline == "cosine: accuracy 95.0 ± 0.4 % (5 seeds)."
    assert verdict({"cosine": [0.95]}, 270).headline == "cosine: accuracy 95.0 % (one seed)."


def test_ahead_of_all():
    runs = {"cosine": around(0.96), "step": around(0.94, -OWN), "linear": around(0.93, -OWN)}
    assert (
        verdict(runs, 270).headline
        == "cosine is ahead of both others, of step by 2.0 ± 0.5 points (5 seeds)."
    )
    runs["noam"] = around(0.90, -OWN)
    assert verdict(runs, 270).headline.startswith("cosine is ahead of all 3 others, of step by 2.0 ± ")


def test_ahead_of_some():
    runs = {"cosine": around(0.96), "step": around(0.959, -OWN), "linear": around(0.93, -OWN)}
    v = verdict(runs, 270)
    assert v.headline.startswith("cosine is ahead of linear by 3.0 ± ")
    assert v.headline.endswith("; cannot tell it from step yet: add seeds.")
    assert v.ahead == ("linear",)
    assert list(v.pairs) == ["step", "linear"]  # the closest first
    runs |= {"noam": around(0.90, -OWN), "exponential": around(0.9595, -OWN), "constant": around(0.958, -OWN)}
    v = verdict(runs, 270)
    assert v.headline.startswith("cosine is ahead of 2 of 5 others, of linear by 3.0 ± ")
    assert v.headline.endswith("; cannot tell it from exponential, step and 1 more yet: add seeds.")


def test_nobody_is_ahead():
    runs = {name: around(0.95, own * OWN) for name, own in (("a", 3), ("b", -2), ("c", 4), ("d", -4))}
    runs["b"] = runs["b"] + 0.0005
    text = verdict(runs, 270).headline
    assert text.startswith("4 runs: cannot tell apart yet (b leads ")
    assert text.endswith(" points, 5 seeds): add seeds.")


def test_runs_are_called_what_they_are():
    runs = {name: around(0.95 + i / 1e5, 4 * OWN) for i, name in enumerate("abcd")}
    text = verdict(runs, 270, runs="schedules").headline
    assert text.startswith("4 schedules: cannot tell apart yet (d leads ")
    same = {name: around(0.95)[:2] for name in "abc"}
    assert verdict(same, 270, runs="rules").headline == "all 3 rules: equal in each of 2 seeds."


def test_a_network_that_only_guesses_is_named():
    runs = {"cosine": around(0.96), "step": around(0.11, -OWN)}
    text = verdict(runs, 270, chance=0.1).headline
    assert text.startswith("cosine is ahead of step by 85.0 ± ")
    assert text.endswith("(5 seeds); step no better than guessing (10 %).")
    assert "guessing" not in verdict(runs, 270).headline
    runs["step"] = around(0.15)  # 1.5 times as often right, on 270 images
    assert "guessing" not in verdict(runs, 270, chance=0.1).headline
    both = {"a": around(0.1), "b": around(0.1, -OWN)}
    assert verdict(both, 270, chance=0.1).headline.endswith("; a and b no better than guessing (10 %).")
    with pytest.raises(ValueError, match=r"verdict\.chance must be in \[0, 1\), got 1"):
        verdict(runs, 270, chance=1)


def test_all_equal():
    assert verdict({"a": [0.9, 0.8], "b": [0.9, 0.8]}, 10).headline == "a and b: equal in each of 2 seeds."
    three = verdict({name: [0.9, 0.8] for name in "abc"}, 10)
    assert three.headline == "all 3 runs: equal in each of 2 seeds."


def test_the_same_one_image_in_two_seeds_proves_nothing():
    v = verdict({"a": [0.9, 0.92], "b": [0.9 + 1 / 270, 0.92 + 1 / 270]}, 270)
    assert v.ahead == ()
    assert "cannot tell apart yet" in v.headline


def test_diverged_runs_are_named_and_not_ranked():
    fallen = around(0.99)
    fallen[[1, 3]] = NAN
    v = verdict({"cosine": around(0.952, -OWN), "linear": around(0.94), "step": fallen}, 270)
    expected = "cosine is ahead of linear by 1.2 ± 0.4 points (5 seeds); step diverged in 2 of 5 seeds."
    assert v.headline == expected
    assert (v.best, dict(v.diverged)) == ("cosine", {"step": 2})
    assert "step" not in v.pairs


def test_only_one_did_not_diverge():
    v = verdict({"cosine": around(0.95), "step": [0.9, NAN, 0.9, 0.9, 0.9]}, 270)
    assert v.headline == "cosine: accuracy 95.0 ± 0.4 % (5 seeds); step diverged in 1 of 5 seeds."


def test_all_diverged():
    assert verdict({"a": [NAN, 0.9], "b": [NAN, NAN]}, 270).headline == (
        "a diverged in 1 of 2 seeds and b diverged in 2 of 2 seeds: no ranking."
    )
    v = verdict({name: [NAN, NAN] for name in "abcd"}, 270)
    assert v.text == "a, b and 2 more diverged in some of 2 seeds: no ranking."
    assert v.best is None


def test_diverged_with_one_seed():
    v = verdict({"a": [0.9], "b": [0.8], "c": [NAN]}, 270)
    assert v.headline == "one seed only: no ranking; add seeds; c diverged."


def test_other_examples_are_named():
    text = verdict({"a": [0.9, 0.8]}, 10_000, examples="test images").sampling
    assert text.startswith("With 10,000 test images each accuracy")


@settings(deadline=None, max_examples=80)
@given(
    seed=st.integers(0, 10**6),
    k=st.integers(2, 8),
    seeds=st.integers(2, 6),
    gap=st.sampled_from([0.0, 0.005, 0.02]),
    length=st.sampled_from([6, 18, 60]),
)
def test_words_agree_with_numbers(seed, k, seeds, gap, length):
    rng = np.random.default_rng(seed)
    means = 0.9 + gap * rng.normal(size=(k, 1))
    values = np.clip(np.round((means + 0.005 * rng.normal(size=(k, seeds))) * 270) / 270, 0, 1)
    v = verdict({chr(97 + i) * length: row for i, row in enumerate(values)}, 270)
    for name, pair in v.pairs.items():
        assert pair.mean >= 0
        assert (name in v.ahead) == (pair.p <= 0.05)
        assert (name in v.ahead) == (pair.mean > pair.half_width)  # the interval excludes 0 iff ahead
    assert ("is ahead of" in v.headline) == bool(v.ahead)
    unclear = len(v.ahead) < k - 1 and "equal in each" not in v.headline
    assert ("cannot tell" in v.headline) == unclear
    assert len(v.headline) <= (160 if length == 6 else 185)


def test_equal_runs_are_seldom_ranked():
    rng = np.random.default_rng(0)
    for k, least in ((2, 0.02), (4, 0.005)):
        values = np.round(rng.normal(0.95, 0.006, (1000, k, 5)) * 270) / 270
        wrong = [bool(verdict({str(i): row for i, row in enumerate(v)}, 270).ahead) for v in values]
        assert least <= np.mean(wrong) <= 0.065


def test_a_real_difference_is_found():
    rng = np.random.default_rng(0)
    values = rng.normal(0.95, 0.004, (200, 2, 5)) + np.array([0.0, 0.015])[:, None]
    found = [verdict({"a": v[0], "b": np.minimum(v[1], 1)}, 270).ahead == ("a",) for v in values]
    assert np.mean(found) > 0.9


def test_nothing_is_changed():
    values = {"a": np.array([0.9, 0.8]), "b": np.array([NAN, 0.8])}
    copies = {name: v.copy() for name, v in values.items()}
    verdict(values, 10)
    for name, v in values.items():
        np.testing.assert_array_equal(v, copies[name])


def test_importing_evaluation_loads_neither_torch_nor_scipy():
    code = "import sys, optviz.evaluation; print({'torch', 'scipy'} & set(sys.modules) or '')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
