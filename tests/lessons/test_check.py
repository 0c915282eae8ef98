"""The guards of check(): whatever a learner writes is answered, and nothing is raised."""

import contextlib
import math
import signal
import threading
import time

import pytest

from optviz.lessons import Exercise, Mistake, Question, Verdict, check, checking
from optviz.lessons.limits import TimeIsUp, time_limit, untouched


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setattr(checking, "_tries", type(checking._tries)())


def dots(t, steps, lr): ...


def only_doc(t, steps, lr):
    """The rate."""


def passes(t, steps, lr):
    pass


def returns_dots(t, steps, lr):
    return ...


def raises_todo(t, steps, lr):
    raise NotImplementedError


@pytest.mark.parametrize("stub", [dots, only_doc, passes, returns_dots, raises_todo])
def test_an_untouched_stub_is_no_attempt(stub):
    verdict = check("04.warmup", stub)
    assert verdict.mistake == "not attempted yet"
    assert not verdict.passed
    assert verdict.hint == ""
    assert "not attempted yet" in repr(verdict)
    assert "✗" not in verdict._repr_mimebundle_()["text/html"]


def forgets_return(t, steps, lr):
    lr * min((t + 1) / steps, 1)


def wrong_name(t, steps, lr):
    return peak * (t + 1) / steps  # noqa: F821


def prints(t, steps, lr):
    print(t, steps)
    return 0.0


class Counting:
    """Answers rightly, but from its own count of calls."""

    def __init__(self):
        self.t = 0

    def __call__(self, t, steps, lr):
        self.t += 1
        return lr * min(self.t / steps, 1)


def leaves(t, steps, lr):
    raise SystemExit


GUARDS = [
    (forgets_return, "returns nothing", "return missing"),
    (wrong_name, "raises NameError", "peak"),
    (prints, "wrong values", "It printed:"),
    (Counting(), "remembers earlier calls", "changes something"),
    (lambda t, steps, lr: math.nan, "gives a value that is not a number", "nan"),
    (lambda t, steps, lr: math.inf, "gives a value that is not a number", "inf"),
    (lambda t, steps, lr: "0.1", "returns no number", "str"),
    (lambda t, steps, lr: [0.1, 0.2], "wrong values", "2 values where 1"),
    (lambda t, steps, lr: 1j, "returns no number", "complex"),
    (lambda t, steps, lr: True, "returns no number", "bool"),
    (lambda t, steps, lr: {"lr": lr}, "returns no number", "dict"),
    (lambda t, steps, lr: 10**30, "wrong values", "1e+30"),
    (lambda t, steps, lr: 10**400, "returns no number", "int"),
    (lambda t, steps: 0.1, "wrong arguments", "(t, steps, lr)"),
    (lambda: 0.1, "wrong arguments", "3 arguments"),
    (0.25, "not a function", "without brackets"),
    (leaves, "raises SystemExit", "raised"),
    (lambda t, steps, lr: lr / (steps - steps), "raises ZeroDivisionError", "division"),
    (lambda t, steps, lr: 0.123, "wrong values", "is right"),
]


def test_a_crash_gets_no_hint_about_the_idea():
    for _ in range(3):
        verdict = check("04.warmup", wrong_name)
        assert verdict.hint == ""
        assert "Repair this first" in verdict.detail


@pytest.mark.parametrize(("fn", "mistake", "words"), GUARDS)
def test_guards_name_what_happened(fn, mistake, words):
    verdict = check("04.warmup", fn)
    assert not verdict.passed
    assert verdict.mistake == mistake
    assert words in verdict.detail


def test_printing_does_not_flood(capsys):
    verdict = check("04.warmup", prints)
    assert capsys.readouterr().out == ""
    assert "more lines" in verdict.detail
    assert len(verdict.detail.splitlines()) == 8


def test_an_unknown_id_lists_those_there_are():
    for id in ("04.nothing", "99.x", "", "lesson", 4, "04"):
        with pytest.raises(ValueError, match=r"check.id must be one of .*04\.warmup"):
            check(id, max)


def endless(t, steps, lr):
    while True:
        with contextlib.suppress(Exception):
            time.sleep(0.001)


def short(monkeypatch):
    task = Exercise("04.warmup", ("t", "steps", "lr"), min, ((1, 2, 3),), (), ("a", "b", "c"), seconds=0.2)
    monkeypatch.setattr(checking, "exercise", lambda id: task)


def test_an_endless_loop_is_stopped(monkeypatch):
    short(monkeypatch)
    start = time.monotonic()
    assert check("04.warmup", endless).mistake == "does not end"
    assert time.monotonic() - start < 5


def test_an_endless_loop_is_stopped_in_a_thread_too(monkeypatch):
    short(monkeypatch)
    verdicts = []
    thread = threading.Thread(target=lambda: verdicts.append(check("04.warmup", endless)))
    thread.start()
    thread.join(20)
    assert [v.mistake for v in verdicts] == ["does not end"]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs the timers of Unix")
def test_an_older_timer_survives():
    before = signal.getitimer(signal.ITIMER_REAL)
    handler = signal.getsignal(signal.SIGALRM)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 50)
    try:
        with pytest.raises(TimeIsUp), time_limit(0.05):
            endless(0, 1, 1.0)
        left = signal.getitimer(signal.ITIMER_REAL)[0]
        assert 40 < left < 50
        assert signal.getsignal(signal.SIGALRM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, *before)


def changes(x):
    x.append(1.0)
    return x[0]


def test_a_changed_argument_is_noticed(monkeypatch):
    task = Exercise("x.y", ("x",), lambda x: x[0], (([2.0, 3.0],),), (), ("a", "b", "c"))
    monkeypatch.setattr(checking, "exercise", lambda id: task)
    assert check("x.y", changes).mistake == "changes its arguments"
    assert task.cases == (([2.0, 3.0],),)
    assert check("x.y", lambda x: x[0] + 0).passed


def test_levels_are_counted_for_each_mistake():
    assert check("04.warmup", lambda t, steps, lr: lr * min(t / steps, 1)).hint.count("Hint") == 1
    assert check("04.warmup", lambda t, steps, lr: lr * (t + 1) / steps).hint.count("Hint") == 1
    assert check("04.warmup", lambda t, steps, lr: lr * (t + 1) / steps).hint.count("Hint") == 2
    assert check("04.warmup", lambda t, steps, lr: 0.2).hint.count("Hint") == 1


def test_verdict_is_shown_safely():
    bundle = Verdict(False, "a <b>", "x", "04.y", "`1 < 2`")._repr_mimebundle_()
    assert "<b>" not in bundle["text/html"]
    assert "<code>1 &lt; 2</code>" in bundle["text/html"]
    assert bundle["text/plain"] == "04.y: a <b>\n`1 < 2`\nx"


def test_material_is_validated():
    with pytest.raises(ValueError, match=r"Question\.choices must be two or more"):
        Question("?", ())
    with pytest.raises(ValueError, match="three"):
        Mistake("m", max, ("one",))
    with pytest.raises(ValueError, match="at least one"):
        Exercise("x.y", (), max, (), (), ("a", "b", "c"))


def test_untouched_knows_a_body_from_none():
    assert untouched(dots)
    assert untouched(returns_dots)
    assert not untouched(forgets_return)
    assert not untouched(raises_todo)
    assert not untouched(max)
