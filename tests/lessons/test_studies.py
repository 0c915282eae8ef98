"""Long measurements: stored with the code that made them, and made again in small."""

import datetime

import pandas as pd
import pytest

from optviz.lessons import Study, study
from optviz.lessons.studies import _storage, study_ids

each = pytest.mark.parametrize("id", study_ids())


def weigh(grams=3):
    """A measurement."""
    # with a comment
    return pd.DataFrame({"method": ["a", "b"], "grams": [grams, 0.1 + 0.2]})


@each
def test_the_stored_result_is_that_of_the_code(id):
    stored = study(id)
    assert not stored.stale, f"measure again: python -m optviz.lessons.studies {id}"
    assert len(stored.table) > 0
    assert not stored.table.isna().to_numpy().any()
    datetime.date.fromisoformat(stored.when)
    assert stored.seconds > 0
    assert {"python", "numpy", "torch"} <= set(stored.versions)
    assert stored.path.stat().st_size < 100_000


@each
def test_a_quick_study_gives_the_same_columns(id):
    found = study(id).again(quick=True)
    stored = study(id).table
    assert list(found.columns) == list(stored.columns)
    assert list(found.dtypes) == list(stored.dtypes)


def test_a_study_is_stored_and_read_back(tmp_path, monkeypatch):
    monkeypatch.setattr(_storage, "FOLDER", tmp_path / "results")
    fresh = Study("99.weigh", weigh)
    with pytest.raises(ValueError, match=r"study '99\.weigh' must have been measured"):
        _ = fresh.table
    stored = fresh.measure()
    pd.testing.assert_frame_equal(stored.table, weigh().round(6), check_dtype=False)
    assert '["a", 3.0]' in stored.path.read_text() or '[ "a", 3.0 ]' in stored.path.read_text()
    assert not stored.stale
    assert stored.again(grams=5).grams[0] == 5
    assert Study("99.weigh", weigh).table.grams[0] == 3, "a repetition is not stored"
    assert repr(stored).startswith("Study 99.weigh: measured on 20")


def test_a_change_of_the_code_makes_it_stale_and_a_change_of_words_does_not(tmp_path, monkeypatch):
    monkeypatch.setattr(_storage, "FOLDER", tmp_path)
    Study("99.weigh", weigh).measure()
    calls, called, constant = "def weigh():\n    return grams()\n", "def grams():\n    return G\n", "G = 3\n"
    documented = 'def weigh():\n    """Other words."""\n\n    return grams()  # a comment\n'
    prints = {}
    for name, source in {
        "plain": constant + called + calls,
        "words": documented + called + constant,
        "other": constant + called + calls + "def more():\n    return 1\n",
        "code": constant + called + calls.replace("grams()", "2 * grams()"),
        "what it calls": constant + called.replace("G", "-G") + calls,
        "a constant": constant.replace("3", "4") + called + calls,
    }.items():
        monkeypatch.setattr(_storage.inspect, "getsource", lambda module, source=source: source)
        prints[name] = _storage.fingerprint(weigh)
        assert Study("99.weigh", weigh).stale
    assert prints["words"] == prints["plain"] == prints["other"]
    assert len({prints[name] for name in ("plain", "code", "what it calls", "a constant")}) == 4


@pytest.mark.parametrize("id", ["09.none", "lenet", "", 9])
def test_an_unknown_study_is_refused(id):
    with pytest.raises(ValueError, match=r"study\.id must be one of "):
        study(id)
