import json
import os
import stat

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from optviz import optimizers
from optviz.schedules import Cosine, Linear
from optviz.training.checkpoint import Checkpoint, load, save
from optviz.training.monitors import EMA, EarlyStopping, Plateau
from optviz.training.trainer import Trainer


def examples(n=70, seed=0):
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(n, 6, generator=generator)
    return X, X[:, :3].argmax(dim=1)


def trainer_of(rule=None, schedule=None, width=16, **settings):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Linear(6, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.3), nn.Linear(width, 3)
        )
    settings = {"loss": nn.CrossEntropyLoss(), "device": "cpu", "batch": 16} | settings
    return Trainer(model, rule or optimizers.SGD(0.9), schedule or Cosine(0.1, 30), **settings)


def monitors():
    return [EMA(0.9), Plateau("loss", 0.5, 0), EarlyStopping("validation_loss", 50)]


class Stop(Exception):
    """Stands for a crash."""


def crash_after(trainer, count):
    seen = []

    def hook(module, args, output):
        if module.training:
            seen.append(1)
            if len(seen) > count:
                raise Stop

    return trainer.model.register_forward_hook(hook)


def identical(a, b):
    assert np.array_equal(a.steps, b.steps)
    assert a.series.keys() == b.series.keys()
    for name in a.series:
        assert np.array_equal(a[name], b[name], equal_nan=True), name
    for name in a.params:
        assert np.array_equal(a.params[name], b.params[name]), name


RULES = [
    optimizers.SGD(0.9),
    optimizers.Adam(),
    optimizers.AdamW(),
    optimizers.RMSprop(momentum=0.5),
    optimizers.EMAMomentum(),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda r: type(r).__name__)
@pytest.mark.parametrize("kind", ["tensors", "loader"])
def test_a_crash_and_a_resume_change_no_bit(tmp_path, rule, kind):
    def data():
        return examples() if kind == "tensors" else DataLoader(TensorDataset(*examples()), 16, shuffle=True)

    def fit(trainer, **settings):
        return trainer.fit(data(), examples(30, 1), 6, every=2, progress=False, **settings)

    whole = fit(trainer_of(rule), monitors=monitors())
    for count in (3, 5, 13, 29):
        path = Checkpoint(tmp_path / f"{count}.safetensors", updates=2)
        first = trainer_of(rule)
        crash_after(first, count)
        with pytest.raises(Stop):
            fit(first, monitors=monitors(), checkpoint=path)
        torch.manual_seed(count)  # the global generator's state must not matter
        identical(whole, fit(trainer_of(rule), monitors=monitors(), checkpoint=path, resume=True))


@pytest.mark.parametrize("settings", [{"precision": "fp16"}, {"precision": "bf16"}, {"accumulate": 2}])
def test_mixed_precision_and_accumulation_resume(tmp_path, settings):
    whole = trainer_of(**settings).fit(examples(), epochs=5, progress=False)
    plan = Checkpoint(tmp_path / "a.safetensors", updates=1)
    first = trainer_of(**settings)
    crash_after(first, 17)
    with pytest.raises(Stop):
        first.fit(examples(), epochs=5, progress=False, checkpoint=plan)
    identical(
        whole, trainer_of(**settings).fit(examples(), epochs=5, progress=False, checkpoint=plan, resume=True)
    )


def test_resuming_a_finished_training_gives_its_history_and_more_epochs_go_on(tmp_path):
    path = tmp_path / "a.safetensors"
    short = trainer_of().fit(examples(), epochs=3, progress=False, checkpoint=path)
    identical(short, trainer_of().fit(examples(), epochs=3, progress=False, checkpoint=path, resume=True))
    longer = trainer_of().fit(examples(), epochs=5, progress=False, checkpoint=path, resume=True)
    identical(trainer_of().fit(examples(), epochs=5, progress=False), longer)


def test_early_stopping_survives_a_resume(tmp_path):
    def fit(**settings):
        trainer = trainer_of(schedule=Linear(3.0, 1000))
        return trainer.fit(
            examples(), examples(30, 1), 40, monitors=[EarlyStopping(patience=2)], progress=False, **settings
        )

    path = tmp_path / "a.safetensors"
    whole = fit(checkpoint=path)
    assert len(whole.steps) < 200
    identical(whole, fit(checkpoint=path, resume=True))


def test_an_existing_checkpoint_is_never_overwritten_unasked(tmp_path):
    path = tmp_path / "a.safetensors"
    trainer_of().fit(examples(), epochs=1, progress=False, checkpoint=path)
    content = path.read_bytes()
    with pytest.raises(FileExistsError, match="checkpoint must be a new file unless resume=True, got"):
        trainer_of().fit(examples(), epochs=1, progress=False, checkpoint=path)
    assert path.read_bytes() == content
    with pytest.raises(ValueError, match="checkpoint must be given when resume is on"):
        trainer_of().fit(examples(), epochs=1, progress=False, resume=True)


def test_the_previous_state_is_kept_and_is_good(tmp_path):
    plan = Checkpoint(tmp_path / "a.safetensors", updates=2)
    trainer_of().fit(examples(), epochs=2, progress=False, checkpoint=plan)
    last, before = load(plan.path)[1], load(plan.previous)[1]
    assert (last["t"], before["t"]) == (10, 10)  # after the last update, and after the epoch it ended
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.safetensors", "a.safetensors.previous"]
    os.unlink(plan.path)  # as if killed while the file was exchanged
    resumed = trainer_of().fit(examples(), epochs=2, progress=False, checkpoint=plan, resume=True)
    identical(resumed, trainer_of().fit(examples(), epochs=2, progress=False))


def test_every_damage_is_noticed(tmp_path):
    path = tmp_path / "a.safetensors"
    trainer_of().fit(examples(), epochs=1, progress=False, checkpoint=path)
    good = path.read_bytes()
    random = np.random.default_rng(0)
    spots = [0, 3, 8, 9, 60, len(good) // 2, len(good) - 1, *random.integers(0, len(good), 60).tolist()]
    for spot in spots:
        path.write_bytes(good[:spot] + bytes([good[spot] ^ 0x55]) + good[spot + 1 :])
        with pytest.raises(ValueError, match="checkpoint must be"):
            load(path)
    for size in (0, 1, 7, 8, 100, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:size])
        with pytest.raises(ValueError, match="checkpoint must be an undamaged file"):
            load(path)
    path.write_bytes(good)
    assert load(path)[1]["t"] == 5


def test_a_damaged_checkpoint_stops_a_resume_and_names_the_one_before(tmp_path):
    plan = Checkpoint(tmp_path / "a.safetensors", updates=2)
    trainer_of().fit(examples(), epochs=1, progress=False, checkpoint=plan)
    content = (tmp_path / "a.safetensors").read_bytes()
    (tmp_path / "a.safetensors").write_bytes(content[:-9])
    with pytest.raises(ValueError, match=r"undamaged file.*the one before is .*a\.safetensors\.previous"):
        trainer_of().fit(examples(), epochs=2, progress=False, checkpoint=plan, resume=True)


def test_files_that_are_no_checkpoints(tmp_path):
    other = tmp_path / "other.safetensors"
    from safetensors.torch import save_file

    save_file({"w": torch.ones(2)}, other)
    with pytest.raises(ValueError, match="checkpoint must be an undamaged file"):
        load(other)
    other.write_text("hello")
    with pytest.raises(ValueError, match="checkpoint must be an undamaged file"):
        load(other)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"width": 17}, "whose model is"),
        ({"rule": optimizers.Adam()}, "whose optimizer is"),
        ({"rule": optimizers.SGD(0.8)}, "whose optimizer is"),
        ({"schedule": Cosine(0.1, 31)}, "whose schedule is"),
        ({"loss": nn.MSELoss()}, "whose loss is"),
        ({"batch": 8}, "whose batch is 16 instead of 8"),
        ({"clip_norm": 1.0}, "whose clip_norm is None instead of 1.0"),
        ({"precision": "bf16"}, "whose precision is 'fp32' instead of 'bf16'"),
    ],
)
def test_another_trainings_checkpoint_is_refused_and_nothing_is_touched(tmp_path, change, words):
    path = tmp_path / "a.safetensors"
    trainer_of().fit(examples(), epochs=1, progress=False, checkpoint=path)
    content = path.read_bytes()
    other = trainer_of(**change)
    before = [p.clone() for p in other.model.parameters()]
    with pytest.raises(ValueError, match=words):
        other.fit(examples(), epochs=2, progress=False, checkpoint=path, resume=True)
    assert all(torch.equal(a, b) for a, b in zip(before, other.model.parameters(), strict=True))
    assert path.read_bytes() == content


def test_other_data_seed_and_monitors_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    trainer_of().fit(examples(), epochs=1, progress=False, checkpoint=path)
    settings = {"epochs": 2, "progress": False, "checkpoint": path, "resume": True}
    with pytest.raises(ValueError, match="whose data is"):
        trainer_of().fit(examples(seed=5), **settings)
    with pytest.raises(ValueError, match="whose seed is 0 instead of 1"):
        trainer_of().fit(examples(), seed=1, **settings)
    with pytest.raises(ValueError, match="whose monitors is"):
        trainer_of().fit(examples(), monitors=[EMA()], **settings)


def test_a_lambda_as_schedule_can_resume(tmp_path):
    path = tmp_path / "a.safetensors"
    whole = trainer_of(schedule=lambda t: 0.1 / (1 + t)).fit(examples(), epochs=2, progress=False)
    trainer_of(schedule=lambda t: 0.1 / (1 + t)).fit(examples(), epochs=1, progress=False, checkpoint=path)
    again = trainer_of(schedule=lambda t: 0.1 / (1 + t))
    identical(whole, again.fit(examples(), epochs=2, progress=False, checkpoint=path, resume=True))


def test_values_of_every_kind_come_back(tmp_path):
    tensors = {
        "half": torch.randn(3).bfloat16(),
        "scalar": torch.tensor(2.5, dtype=torch.float64),
        "empty": torch.empty(0, 3),
        "bool": torch.tensor([True, False]),
        "view": torch.arange(10)[2:8:2],
        "array": np.arange(6).reshape(2, 3),
    }
    tensors["tied"] = tensors["half"]
    found, meta = load(save(tmp_path / "a.safetensors", tensors, {"list": [1, None, "x"]}))
    assert meta == {"list": [1, None, "x"]}
    for name, value in tensors.items():
        assert torch.equal(found[name], torch.as_tensor(value))
        assert found[name].dtype == torch.as_tensor(value).dtype


def test_tied_weights_resume(tmp_path):
    def tied():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6))
        model[2].weight = model[0].weight
        return Trainer(model, optimizers.SGD(0.9), 0.1, loss=nn.CrossEntropyLoss(), device="cpu")

    path = tmp_path / "a.safetensors"
    tied().fit(examples(), epochs=1, progress=False, checkpoint=path)
    resumed = tied()
    history = resumed.fit(examples(), epochs=2, progress=False, checkpoint=path, resume=True)
    identical(history, tied().fit(examples(), epochs=2, progress=False))
    assert resumed.model[0].weight is resumed.model[2].weight


def test_loading_runs_no_code(tmp_path):
    path = tmp_path / "a.safetensors"
    trainer_of().fit(examples(), epochs=1, progress=False, checkpoint=path)
    size = int.from_bytes(path.read_bytes()[:8], "little")
    header = json.loads(path.read_bytes()[8 : 8 + size])
    assert set(header["__metadata__"]) == {"optviz", "sha256"}
    assert json.loads(header["__metadata__"]["optviz"])["format"] == 1


def test_read_only_folder_is_named(tmp_path):
    if os.geteuid() == 0:
        blocked = tmp_path / "file"
        blocked.write_text("no folder")  # root may write anywhere, but not below a file
    else:
        blocked = tmp_path / "locked"
        blocked.mkdir()
        blocked.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(OSError, match="must be a folder that can be written"):
        trainer_of().fit(examples(), epochs=1, progress=False, checkpoint=blocked / "a.safetensors")


def test_leftovers_of_a_killed_process_are_swept_on_resume(tmp_path):
    path = tmp_path / "a.safetensors"
    trainer_of().fit(examples(), epochs=1, progress=False, checkpoint=path)
    mine = [".a-0123456789abcdef.safetensors", ".a.safetensors.previous-77"]
    other = [".a-notes.safetensors", ".ab-0123456789abcdef.safetensors"]
    for name in mine + other:
        (tmp_path / name).write_text("x")
    trainer_of().fit(examples(), epochs=1, progress=False, checkpoint=path, resume=True)
    names = {p.name for p in tmp_path.iterdir()}
    assert not names & set(mine)
    assert set(other) < names


def test_bad_plans_are_named():
    for updates in (0, 1.5, "a"):
        with pytest.raises(ValueError, match=r"Checkpoint\.updates must be a whole number above 0"):
            Checkpoint("a", updates=updates)
    with pytest.raises(ValueError, match=r"Checkpoint\.seconds must be a number above 0"):
        Checkpoint("a", seconds=-1.0)


def test_saving_by_the_clock(tmp_path):
    plan = Checkpoint(tmp_path / "a.safetensors", seconds=1e-9)
    first = trainer_of()
    crash_after(first, 7)
    with pytest.raises(Stop):
        first.fit(examples(), epochs=5, progress=False, checkpoint=plan)
    assert load(plan.path)[1]["t"] == 7
