import io
import signal
import sys
import threading
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from optviz import losses, optimizers
from optviz.schedules import Constant, Cosine, Linear, Warmup
from optviz.training.monitors import EMA, EarlyStopping, Plateau
from optviz.training.trainer import Diverged, Trainer

cuda = pytest.mark.cuda
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
DEVICES = ["cpu", pytest.param("cuda", marks=[pytest.mark.cuda, needs_cuda])]


def net(dropout=0.0, seed=0, norm=False):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = [nn.Linear(6, 16), nn.BatchNorm1d(16) if norm else nn.Identity(), nn.ReLU()]
        return nn.Sequential(*layers, nn.Dropout(dropout), nn.Linear(16, 3))


def examples(n=70, seed=0):
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(n, 6, generator=generator)
    return X, X[:, :3].argmax(dim=1)


def trainer_of(model=None, optimizer=None, schedule=0.1, **settings):
    settings = {"loss": nn.CrossEntropyLoss(), "device": "cpu", "batch": 16} | settings
    return Trainer(model or net(), optimizer or optimizers.SGD(0.9), schedule, **settings)


def by_hand(model, make, schedule, epochs, accumulate=1, clip=None, batch=16, seed=0, n=70):
    """The loop one would write, with the same order of examples."""
    optimizer, (X, y) = make(model.parameters()), examples(n)
    generator, t, losses_seen = torch.Generator().manual_seed(seed), 0, []
    for _ in range(epochs):
        order = torch.randperm(n, generator=generator)
        for start in range(0, n, batch * accumulate):
            picked = order[start : start + batch * accumulate]
            optimizer.param_groups[0]["lr"] = schedule(t)
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(X[picked]), y[picked])
            loss.backward()
            if clip is not None:
                torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            losses_seen.append(loss.item())
            t += 1
    return losses_seen


def same_weights(a, b, tolerance=1e-5):
    return all(
        torch.allclose(p, q, atol=tolerance) for p, q in zip(a.parameters(), b.parameters(), strict=True)
    )


TWINS = [
    (optimizers.SGD(), lambda p: torch.optim.SGD(p, lr=1.0)),
    (optimizers.SGD(0.9, nesterov=True), lambda p: torch.optim.SGD(p, lr=1.0, momentum=0.9, nesterov=True)),
    (optimizers.SGD(0.5, False, 0.1, 0.01), lambda p: torch.optim.SGD(p, 1.0, 0.5, 0.1, 0.01)),
    (optimizers.RMSprop(0.9, 1e-6, 0.5), lambda p: torch.optim.RMSprop(p, 1.0, 0.9, 1e-6, 0.0, 0.5)),
    (optimizers.Adam(0.8, 0.99), lambda p: torch.optim.Adam(p, 1.0, (0.8, 0.99))),
    (optimizers.AdamW(weight_decay=0.1), lambda p: torch.optim.AdamW(p, 1.0, weight_decay=0.1)),
]


@pytest.mark.parametrize(("rule", "make"), TWINS, ids=lambda v: type(v).__name__)
def test_equals_the_hand_written_loop(rule, make):
    schedule = Cosine(0.05, 30)
    ours, theirs = net(), net()
    history = trainer_of(ours, rule, schedule).fit(examples(), epochs=6, progress=False)
    expected = by_hand(theirs, make, schedule, 6)
    assert np.allclose(history["loss"][0], expected, atol=1e-5)
    assert np.allclose(history["lr"][0], schedule(np.arange(30)))
    assert same_weights(ours, theirs)
    assert len(history.steps) == 30


def test_a_rule_without_a_torch_twin_is_wrapped():
    rule, model, twin = optimizers.EMAMomentum(0.9), net(), net()
    trainer_of(model, rule, 0.3).fit(examples(), epochs=3, progress=False)
    states = [rule.init(p.detach()) for p in twin.parameters()]

    class ByRule:
        def __init__(self, params):
            self.params, self.param_groups, self.t = list(params), [{}], 0

        def zero_grad(self):
            for p in self.params:
                p.grad = None

        @torch.no_grad()
        def step(self):
            for i, p in enumerate(self.params):
                delta, states[i] = rule.update(p.grad, states[i], p.detach(), 0.3, self.t)
                p.add_(delta)
            self.t += 1

    by_hand(twin, ByRule, lambda t: 0.3, 3)
    assert same_weights(model, twin)


def test_built_optimizers_run_as_they_are_and_groups_keep_their_ratio():
    model = net()
    groups = [{"params": model[0].parameters(), "lr": 0.2}, {"params": model[4].parameters(), "lr": 0.02}]
    optimizer = torch.optim.Adagrad(groups)
    used = []
    optimizer.register_step_pre_hook(lambda o, a, k: used.append([g["lr"] for g in o.param_groups]))
    trainer_of(model, optimizer, Linear(0.4, 20)).fit(examples(), epochs=2, progress=False)
    assert np.allclose(used, [[0.4 * (1 - t / 20), 0.04 * (1 - t / 20)] for t in range(10)])
    untouched = torch.optim.SGD(net().parameters(), lr=0.3)
    model = net()
    untouched = torch.optim.SGD(model.parameters(), lr=0.3)
    history = trainer_of(model, untouched, None).fit(examples(), epochs=1, progress=False)
    assert np.all(history["lr"] == 0.3)
    assert history.labels == ("SGD",)


@pytest.mark.parametrize("clip", [None, 0.1])
@pytest.mark.parametrize("n", [70, 96])
def test_accumulation_gives_the_gradient_of_the_whole_also_when_ragged(clip, n):
    ours, theirs = net(), net()
    trainer = trainer_of(ours, optimizers.SGD(0.9), 0.1, batch=8, accumulate=3, clip_norm=clip)
    history = trainer.fit(examples(n), epochs=3, progress=False)
    expected = by_hand(theirs, lambda p: torch.optim.SGD(p, 0.1, 0.9), lambda t: 0.1, 3, 3, clip, 8, n=n)
    assert len(expected) == len(history.steps) == 3 * -(-n // 24)
    assert np.allclose(history["loss"][0], expected, atol=1e-6)
    assert same_weights(ours, theirs, 1e-6)


def test_accumulation_over_a_loader_counts_examples():
    X, y = examples(22)
    loader = [(X[:10], y[:10]), (X[10:20], y[10:20]), (X[20:], y[20:])]
    history = trainer_of(accumulate=3, schedule=0.0).fit(loader, epochs=1, progress=False)
    whole = nn.functional.cross_entropy(net()(X), y).item()
    assert history["loss"][0, 0] == pytest.approx(whole, abs=1e-6)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), losses.cross_entropy], ids=["torch", "ours"])
def test_every_precision_learns(device, precision, loss):
    trainer = trainer_of(precision=precision, clip_norm=1.0, device=device, loss=loss)
    history = trainer.fit(examples(), examples(50, 1), epochs=10, progress=False)
    assert history["loss"][0, -5:].mean() < 0.5
    assert history.measured("validation_accuracy")[1][0, -1] > 0.7
    assert next(trainer.model.parameters()).dtype == torch.float32


class Recorder(torch.optim.SGD):
    """Notes the gradient's norm that the step sees."""

    def __init__(self, params, lr):
        super().__init__(params, lr=lr)
        self.norms = []

    def step(self, closure=None):
        grads = [p.grad for g in self.param_groups for p in g["params"]]
        self.norms.append(torch.linalg.vector_norm(torch.cat([g.flatten() for g in grads])).item())
        return super().step(closure)


def test_fp16_unscales_before_it_clips():
    model = net()
    optimizer = Recorder(model.parameters(), 0.1)
    trainer_of(model, optimizer, precision="fp16", clip_norm=0.05).fit(examples(), epochs=1, progress=False)
    assert np.allclose(optimizer.norms, 0.05, rtol=1e-3)


@pytest.mark.parametrize("fused", [False, True])
def test_skipped_fp16_updates_advance_nothing(fused):
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, fused=fused)
    trainer = trainer_of(model, optimizer, Linear(0.1, 100), precision="fp16")
    trainer.scaler = torch.amp.GradScaler(
        "cpu", init_scale=2.0**24
    )  # too large: the first gradients overflow
    before = [p.clone() for p in model.parameters()]
    moved = []
    for step in trainer.steps(examples(), epochs=4, every=1):
        moved.append((step.step, step.lr.copy()))
    session = trainer._latest
    assert session.skipped > 0
    assert session.t + session.skipped == 20
    rates = np.concatenate([lr[0] for _, lr in moved])
    assert np.allclose(rates, Linear(0.1, 100)(np.arange(session.t)))
    assert not any(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_evaluation_weighs_by_size_in_eval_mode_and_restores_it():
    X, y = examples(130)
    model = net(dropout=0.5, norm=True)
    model[1].eval()  # frozen on purpose
    trainer = trainer_of(model, batch=4)
    loader = DataLoader(TensorDataset(X, y), batch_size=100)
    found, from_loader = trainer.evaluate((X, y)), trainer.evaluate(loader)
    modes = [m.training for m in model.modules()]
    assert modes == [True, True, False, True, True, True]
    model.eval()
    with torch.no_grad():
        output = model(X)
    assert found["loss"] == pytest.approx(nn.functional.cross_entropy(output, y).item(), rel=1e-6)
    assert found["accuracy"] == (output.argmax(1) == y).sum().item() / 130
    assert from_loader["accuracy"] == found["accuracy"]
    assert from_loader["loss"] == pytest.approx(found["loss"], rel=1e-6)


def test_modes_are_restored_and_frozen_parts_stay_frozen():
    model = net(norm=True)
    model[1].eval()
    frozen = model[1].running_mean.clone()
    trainer_of(model).fit(examples(), examples(), epochs=1, progress=False)
    assert torch.equal(model[1].running_mean, frozen)
    assert model.training
    assert not model[1].training
    model.eval()
    trainer_of(model).fit(examples(), epochs=1, progress=False)
    assert not any(m.training for m in model.modules())
    assert not torch.equal(model[1].running_mean, frozen)  # all of it was switched on


def test_regression_has_no_accuracy():
    X = torch.randn(40, 6)
    trainer = trainer_of(nn.Linear(6, 1), loss=losses.mse, schedule=0.05)
    history = trainer.fit((X, X.sum(1, keepdim=True)), (X, X.sum(1, keepdim=True)), 30, progress=False)
    assert sorted(history.series) == ["loss", "lr", "validation_loss"]
    assert history["validation_loss"][0, -1] < 0.01


def test_global_randomness_is_the_callers_and_the_seed_decides_everything():
    def run(noise, seed):
        model = net(dropout=0.5)
        torch.manual_seed(noise)
        steps = trainer_of(model).steps(examples(), epochs=2, every=2, seed=seed)
        drawn = [torch.rand(1).item() for _ in steps]
        torch.manual_seed(noise)
        assert drawn == [torch.rand(1).item() for _ in drawn]
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    assert torch.equal(run(1, 0), run(2, 0))
    assert not torch.equal(run(1, 0), run(1, 1))


def test_loaders_arrays_splits_and_tensors_give_the_same_kind_of_history():
    X, y = examples()
    loader = DataLoader(TensorDataset(X, y), batch_size=16, shuffle=True)

    class Pair:
        def __init__(self):
            self.X, self.y = X.double().numpy(), y.numpy().astype(np.int32)

    by_tensor = trainer_of().fit((X, y), epochs=2, progress=False)
    by_array = trainer_of().fit(Pair(), epochs=2, progress=False)
    by_loader = trainer_of().fit(loader, epochs=2, progress=False)
    assert np.allclose(by_tensor["loss"], by_array["loss"])
    assert by_loader["loss"].shape == by_tensor["loss"].shape


def test_steps_yield_every_so_many_updates_and_at_epoch_ends():
    seen = [
        (s.step, s.loss.shape, sorted(s.metrics))
        for s in trainer_of().steps(examples(), examples(), epochs=2, every=2)
    ]
    metrics = ["validation_accuracy", "validation_loss"]
    assert seen == [
        (1, (1, 2), []), (3, (1, 2), []), (4, (1, 1), metrics),
        (6, (1, 2), []), (8, (1, 2), []), (9, (1, 1), metrics),
    ]  # fmt: skip


def test_history_of_fit_and_of_collected_steps_agree():
    from optviz.training.history import History

    fit = trainer_of().fit(examples(), examples(), epochs=2, progress=False)
    collected = History.collect(fit.labels, (0,), trainer_of().steps(examples(), examples(), 2, every=2))
    for name in fit.series:
        assert np.array_equal(fit[name], collected[name], equal_nan=True)
    for name in fit.params:
        assert np.array_equal(fit.params[name], collected.params[name])


def test_diverging_loss_names_update_and_rate_and_keeps_the_history():
    model = nn.Linear(6, 1)
    X = torch.randn(64, 6)
    trainer = trainer_of(model, optimizers.SGD(), lambda t: 0.01 if t < 7 else 1e12, loss=nn.MSELoss())
    with pytest.raises(
        Diverged, match=r"the loss became (inf|nan) at update \d+ \(rate 1e\+12\); lower"
    ) as caught:
        trainer.fit((X, X[:, :1] * 2), epochs=50, progress=False)
    error = caught.value
    history = error.history
    assert np.isfinite(history["loss"][0, : error.step]).all()
    assert not np.isfinite(history["loss"][0, error.step])
    assert 8 <= error.step <= 12
    assert error.lr == history["lr"][0, error.step] == 1e12
    assert model.training


def test_bad_rates_are_named_before_they_are_used():
    with pytest.raises(ValueError, match="rate at update 5 must be a finite number of at least 0, got -"):
        trainer_of(schedule=lambda t: 0.1 * (4.5 - t)).fit(examples(), epochs=2, progress=False)
    with pytest.raises(ValueError, match="rate at update 0 must be a finite number"):
        trainer_of(schedule=lambda t: float("nan"))


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ")
@pytest.mark.parametrize("loader", [False, True])
def test_ctrl_c_stops_after_the_update_and_returns_the_history(capsys, loader):
    assert threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT)
    model = net()
    trainer = trainer_of(model)
    calls = []

    def interrupt(module, args, output):
        calls.append(1)
        if len(calls) == 8:
            signal.raise_signal(signal.SIGINT)

    model.register_forward_hook(interrupt)
    data = DataLoader(TensorDataset(*examples()), batch_size=16) if loader else examples()
    history = trainer.fit(data, epochs=100, progress=False)
    assert len(history.steps) == 8
    assert np.isfinite(history["loss"]).all()
    assert "Stopped on request after 8 updates (1 whole epochs)" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_interrupts_at_once(capsys):
    model = net()
    calls = []

    def interrupt(module, args, output):
        calls.append(1)
        if len(calls) == 7:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    model.register_forward_hook(interrupt)
    history = trainer_of(model).fit(examples(), epochs=100, progress=False)
    assert len(history.steps) == 6
    assert "Stopped on request" in capsys.readouterr().out


def test_monitors_stop_average_and_cut():
    stop, average = EarlyStopping("validation_loss", patience=2), EMA(0.5)
    model = net()
    trainer = trainer_of(model, schedule=2.0)
    history = trainer.fit(examples(), examples(40, 1), 60, monitors=[average, stop], progress=False)
    values = history.measured("validation_loss")[1][0]
    assert len(values) < 60
    best = int(values.argmin())
    assert len(values) == best + 3
    assert trainer.evaluate(examples(40, 1))["loss"] == pytest.approx(values[best], rel=1e-6)
    averaged = average.averaged(trainer.state_of(average))
    assert averaged["0.weight"].shape == (1, 16, 6)
    with pytest.raises(ValueError, match="monitor must be one of the latest training"):
        trainer.state_of(Plateau())


@pytest.mark.parametrize("built", [False, True])
def test_plateau_multiplies_the_rates_from_the_next_update_on(built):
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0) if built else optimizers.SGD()
    trainer = trainer_of(model, optimizer, None if built else 1e-30)
    if built:
        optimizer.param_groups[0]["lr"] = 1e-30
    monitor = Plateau("validation_loss", factor=0.5, patience=1)
    history = trainer.fit(examples(), examples(), 6, monitors=[monitor], progress=False)
    assert np.allclose(history["lr"][0, ::5], 1e-30 * np.array([1, 1, 1, 0.5, 0.5, 0.25]), rtol=1e-9, atol=0)


def test_a_stop_within_an_epoch_ends_there():
    stop = EarlyStopping("loss", patience=1, min_delta=1e9, restore=False)
    history = trainer_of().fit(examples(), examples(), 9, every=2, monitors=[stop], progress=False)
    assert len(history.steps) == 4
    assert sorted(history.series) == ["loss", "lr"]


def test_weights_in_bfloat16_come_into_the_history():
    model = net().to(torch.bfloat16)
    X, y = examples()
    history = trainer_of(model).fit((X.to(torch.bfloat16), y), epochs=1, progress=False)
    assert history.params["0.weight"].dtype == np.float32


def test_unmeasured_metric_is_refused_before_training():
    with pytest.raises(
        ValueError, match=r"EarlyStopping\.metric must be one of \['loss'\], got 'validation_loss'"
    ):
        trainer_of().fit(examples(), monitors=[EarlyStopping()], progress=False)


def test_progress_shows_loss_rate_and_speed(monkeypatch, capsys):
    import optviz.training._progress as shown

    screen = io.StringIO()
    plain = shown.tqdm
    monkeypatch.setattr(shown, "tqdm", lambda **k: plain(file=screen, **k))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stop = EarlyStopping("loss", patience=1, min_delta=1e9)
        trainer_of().fit(examples(), epochs=3, monitors=[stop])
    text = screen.getvalue()
    assert "loss " in text
    assert "rate 0.1" in text
    assert "examples/s" in text
    assert "stopped after update" in capsys.readouterr().out


BAD = [
    ({"model": 3}, TypeError, r"Trainer\.model must be a torch\.nn\.Module"),
    ({"optimizer": torch.optim.SGD}, TypeError, r"Trainer\.optimizer must be a rule like"),
    ({"optimizer": optimizers.SGD}, TypeError, r"Trainer\.optimizer must be a rule like"),
    (
        {"optimizer": optimizers.SGD(), "schedule": None},
        ValueError,
        r"Trainer\.schedule must be a schedule or a",
    ),
    ({"schedule": "cosine"}, TypeError, r"Trainer\.schedule must be a schedule"),
    ({"schedule": -0.1}, ValueError, r"Constant\.lr must be"),
    ({"loss": "mse"}, TypeError, r"Trainer\.loss must be a function"),
    ({"loss": nn.MSELoss}, TypeError, r"Trainer\.loss must be a function"),
    ({"loss": nn.MSELoss(reduction="sum")}, ValueError, r"Trainer\.loss must be a mean over the batch"),
    ({"precision": "int8"}, ValueError, r"Trainer\.precision must be one of"),
    ({"clip_norm": 0.0}, ValueError, r"Trainer\.clip_norm must be above 0"),
    ({"accumulate": 0}, ValueError, r"Trainer\.accumulate must be a whole number above 0"),
    ({"batch": 2.5}, ValueError, r"Trainer\.batch must be a whole number above 0"),
    ({"device": "cuda:99"}, ValueError, r"Trainer\.device must be one of \['auto', .*'cpu'\], got 'cuda:99'"),
    (
        {"optimizer": torch.optim.SGD(net().parameters(), 0.1)},
        ValueError,
        "over parameters of the model, got '4 others'",
    ),
    ({"model": nn.ReLU()}, ValueError, r"Trainer\.model must be a module with parameters"),
]


@pytest.mark.parametrize(("change", "kind", "words"), BAD, ids=lambda v: str(v)[:40])
def test_bad_settings_are_named(change, kind, words):
    settings = {"model": net(), "optimizer": optimizers.SGD(), "schedule": 0.1, "loss": nn.MSELoss()} | change
    model, optimizer, schedule = (settings.pop(n) for n in ("model", "optimizer", "schedule"))
    with pytest.raises(kind, match=words):
        Trainer(model, optimizer, schedule, **settings)


X, Y = examples()
BAD_DATA = [
    ((X, Y[:5]), ValueError, r"train\.y must be as many targets as there are examples \(70\)"),
    ((X[:0], Y[:0]), ValueError, r"train\.X must be at least one example"),
    ((X, Y - 1), ValueError, r"train\.y must be class ids from 0, got -1"),
    ((X[:9], Y[:9]), ValueError, r"Trainer\.batch must be at most the 9 training examples, got 16"),
    (X, TypeError, r"train must be \(X, y\)"),
    (3, TypeError, r"train must be \(X, y\)"),
    ((np.array(["a"]), Y[:1]), TypeError, r"train\.X must be numbers"),
    (iter([(X, Y)]), ValueError, "train must be iterable once an epoch"),
    ([], ValueError, "train must be at least one batch"),
    ([(X, Y, Y)], TypeError, r"train must give batches \(X, y\)"),
    ((X[:, :3], Y), ValueError, r"train must fit the model and the loss, got X of shape \(70, 3\) and y of"),
    ([(X[:, :3], Y)], ValueError, r"train must fit the model and the loss, got batches of a list"),
    ((X, Y + 9), ValueError, r"train\.y must be below 3, the outputs of the model, got 1\d"),
    ([(X, Y[:3])], ValueError, "train batch must be as many targets as examples"),
]


@pytest.mark.parametrize(("data", "kind", "words"), BAD_DATA, ids=range(len(BAD_DATA)))
def test_bad_data_are_named(data, kind, words):
    with pytest.raises(kind, match=words):
        trainer_of().fit(data, epochs=1, progress=False)


def test_validation_data_that_do_not_fit_are_named():
    for val, words in (
        ((X[:, :3], Y), r"val must fit the model and the loss"),
        ((X, Y + 9), r"val\.y must be below 3, the outputs of the model, got 1\d"),
    ):
        trainer = trainer_of(loss=torch.nn.CrossEntropyLoss())
        with pytest.raises(ValueError, match=words):
            trainer.fit((X, Y), val, epochs=1, progress=False)
        assert not trainer.model._forward_hooks


def test_labels_are_looked_at_only_where_the_loss_takes_classes():
    counts = Y + 9
    trainer = trainer_of(schedule=1e-3, loss=lambda output, y: (output.sum(1) - y).square().mean())
    trainer.fit((X, counts), epochs=1, progress=False)


def test_a_warm_up_longer_than_the_training_is_refused():
    trainer = trainer_of(schedule=Warmup(Constant(0.1), 50))
    with pytest.raises(ValueError, match=r"Warmup\.steps must be at most the run's 10 updates, got 50"):
        trainer.fit((X, Y), epochs=2, progress=False)
    trainer.fit((X, Y), epochs=10, progress=False)


def test_bad_counts_are_named():
    for name, value in (("epochs", 0), ("every", 0), ("seed", -1), ("epochs", 1.5)):
        with pytest.raises(ValueError, match=f"{name} must be a whole number of at least"):
            trainer_of().fit(examples(), **{name: value}, progress=False)
    with pytest.raises(ValueError, match=r"Trainer\.loss must give one number"):
        trainer_of(loss=lambda output, y: output.sum(1)).fit(examples(), progress=False)


@cuda
@needs_cuda
def test_cuda_moves_data_once_and_equals_the_cpu():
    cpu, gpu = net(), net()
    a = trainer_of(cpu).fit(examples(), epochs=3, progress=False)
    b = trainer_of(gpu, device="auto").fit(examples(), epochs=3, progress=False)
    assert next(gpu.parameters()).is_cuda
    assert np.allclose(a["loss"], b["loss"], atol=1e-4)
