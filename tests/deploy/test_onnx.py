"""torch.export and ONNX in floating point: equal to the network, any batch size, silent, whole or not."""

import copy
import io
import logging
import tempfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from optviz import deploy, ledger
from tests.deploy.networks import SHAPES, inputs, network

RELU = '<ir_version: 8, opset_import: ["": 18]> net (float[N, 4] x) => (float[N, 4] y) {y = Relu(x)}'


class Decides(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Fixed(nn.Module):
    def forward(self, x):
        return x.reshape(5, 4) * 2


class Rare(nn.Module):
    def forward(self, x):
        return torch.special.bessel_j0(x)


class Noisy(nn.Module):
    def forward(self, x):
        return x + torch.rand_like(x)


class Pair(nn.Module):
    def forward(self, x):
        return x, x


class NaN(nn.Module):
    def forward(self, x):
        return x / 0.0


@pytest.fixture(scope="module")
def relu():
    return onnx.parser.parse_model(RELU).SerializeToString()


@pytest.mark.parametrize("kind", SHAPES)
def test_equal_in_onnx_runtime_for_any_batch(kind, onnx_file):
    net, path = network(kind).eval(), onnx_file(kind)
    assert [p.name for p in path.parent.iterdir()] == ["net.onnx"], "no second file with the weights"
    for count in (1, 2, 7, 64):
        x = inputs(kind, count)
        y = net(x).detach()
        torch.testing.assert_close(deploy.run_onnx(path, x), y, rtol=0, atol=1e-5)
    proto = onnx.load(path)
    assert not any(node.op_type == "BatchNormalization" for node in proto.graph.node)
    assert [
        end.type.tensor_type.shape.dim[0].dim_param for end in (*proto.graph.input, *proto.graph.output)
    ] == (["batch", "batch"])
    numbers = 4 * sum(p.numel() for p in net.parameters())
    assert path.stat().st_size < 1.02 * numbers + 8000
    assert b"/optviz/" not in path.read_bytes(), "no places in source files"


@pytest.mark.parametrize("kind", ["LeNet5", "ResidualCNN"])
def test_a_program_equals_the_network_and_loads_back(kind):
    net, file = network(kind), io.BytesIO()
    program = deploy.export(net, inputs(kind, 3).numpy())
    torch.export.save(program, file)
    file.seek(0)
    again = torch.export.load(file).module()
    net.eval()
    for count in (1, 3, 9):
        x = inputs(kind, count)
        torch.testing.assert_close(program.module()(x), net(x), rtol=0, atol=1e-5)
        torch.testing.assert_close(again(x), net(x), rtol=0, atol=1e-5)


def test_the_network_stays_dropout_is_off_and_double_is_double(tmp_path, capfd, caplog):
    net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.BatchNorm1d(8), nn.Linear(8, 3)).double()
    net[1].eval()
    before, modes = copy.deepcopy(net.state_dict()), [part.training for part in net.modules()]
    root = logging.getLogger()
    logs = root.handlers[:], root.level, root.manager.disable
    x = torch.rand(5, 4).double()
    path = deploy.to_onnx(net, tmp_path / "net.onnx", x.float().numpy())
    program = deploy.export(net, x)
    assert (root.handlers, root.level, root.manager.disable) == logs
    assert modes == [part.training for part in net.modules()]
    assert all(torch.equal(p, before[name]) for name, p in net.state_dict().items())
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []
    y = net.eval()(x)
    torch.testing.assert_close(deploy.run_onnx(path, x), y.detach(), rtol=0, atol=1e-12)
    torch.testing.assert_close(program.module()(x), y, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (
            Decides(),
            r"must be a network that torch\.export can write down for batches of any size, got: .*depend",
        ),
        (
            Fixed(),
            r"must be a network that torch\.export can write down for batches of any size, got: .*batch",
        ),
        (Rare(), r"must be a network that the ONNX exporter can translate, got: .*bessel_j0"),
        (
            Pair(),
            r"example must be a batch for which the network gives one tensor with as many rows, got 'tuple'",
        ),
        (NaN(), r"example must be one for which the outputs are finite"),
    ],
)
def test_what_cannot_be_translated_is_refused_and_the_old_file_stays(net, message, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    path = tmp_path / "net.onnx"
    path.write_text("old")
    with pytest.raises(ValueError, match=r"to_onnx\." + message if "example" in message else message):
        deploy.to_onnx(net, path, torch.rand(5, 4))
    assert path.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.onnx", "scratch"]
    assert list(scratch.iterdir()) == []


def test_other_outputs_than_the_networks_are_noticed():
    with pytest.raises(
        ValueError, match=r"export\.model must be translated to outputs .* equal to 1e-05, got 0\."
    ):
        deploy.export(Noisy(), torch.rand(5, 4))


@pytest.mark.parametrize("make", [deploy.export, lambda net, x: deploy.to_onnx(net, "never.onnx", x)])
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.rand(5, 3), r"example must be a batch that the network takes, got shape \(5, 3\): .*shapes"),
        (torch.rand(4), r"example must be a batch of inputs \(N, …\), floats, got .*shape \(4,\)"),
        (torch.rand(0, 4), r"example must be a batch of inputs \(N, …\), floats, got .*shape \(0, 4\)"),
        (np.array([3, 1, 4]), r"example must be a batch of inputs \(N, …\), floats, got 'torch.int64"),
        (np.full((2, 4), np.nan), r"example must be finite"),
    ],
)
def test_a_bad_example_is_refused(make, x, message):
    with pytest.raises(ValueError, match=message):
        make(nn.Linear(4, 3), x)


@pytest.mark.parametrize("make", [deploy.export, lambda net, x: deploy.to_onnx(net, "never.onnx", x)])
def test_only_modules(make):
    with pytest.raises(TypeError, match=r"\.model must be a torch\.nn\.Module, got <function"):
        make(lambda x: x, torch.rand(5, 4))


def test_a_network_above_two_gibibytes_is_refused(monkeypatch):
    from optviz.deploy import translate

    monkeypatch.setattr(translate, "MOST", 59)
    with pytest.raises(ValueError, match=r"to_onnx\.model must be below 2 GiB, got 60"):
        deploy.to_onnx(nn.Linear(4, 3), "never.onnx", torch.rand(5, 4))


def test_a_session_is_a_function_of_a_batch(relu, tmp_path):
    run = deploy.session(relu, threads=2)
    x = np.array([[-1, 0, 1, 2]], np.float64)
    x.flags.writeable = False
    assert run(x).tolist() == [[0, 0, 1, 2]]
    assert isinstance(run(x), np.ndarray)
    assert run(torch.tensor(x, requires_grad=True)).tolist() == [[0, 0, 1, 2]]
    assert (run.shape, run.threads, run.outputs) == (("N", 4), 2, ("y",))
    (tmp_path / "net.onnx").write_bytes(relu)
    assert deploy.run_onnx(str(tmp_path / "net.onnx"), x).tolist() == [[0, 0, 1, 2]]
    found = ledger.latencies([nn.ReLU(), run], torch.rand(8, 4), repeats=3, warmup=1)
    assert all(0 < each.median < 1 for each in found)


@pytest.mark.parametrize("x", [np.zeros((2, 5)), np.zeros(4), np.zeros((2, 4), int), np.array("text")])
def test_a_batch_of_another_shape_or_type_is_refused(relu, x):
    with pytest.raises(ValueError, match=r"session\.x must be floats of shape \(N, 4\), got '.* of shape"):
        deploy.run_onnx(relu, x)


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "2"])
def test_threads_are_whole_numbers(relu, threads):
    with pytest.raises(ValueError, match=r"session\.threads must be a whole number of at least 1"):
        deploy.session(relu, threads)


def test_two_inputs_are_refused():
    both = RELU.replace("[N, 4] x)", "[N, 4] x, float[N, 4] z)").replace("Relu(x)", "Add(x, z)")
    with pytest.raises(ValueError, match=r"session\.path must be a network with one input, got \['x', 'z'\]"):
        deploy.session(onnx.parser.parse_model(both).SerializeToString())


@pytest.mark.parametrize("content", [b"", b"no network", None])
def test_a_damaged_file_is_refused(relu, content, tmp_path, capfd):
    path = tmp_path / "net.onnx"
    path.write_bytes(relu[:-9] if content is None else content)
    with pytest.raises(
        ValueError, match=r"session\.path must be a whole ONNX file that .*, got '.*net\.onnx'"
    ):
        deploy.session(path)
    assert capfd.readouterr() == ("", "")


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        deploy.session(tmp_path / "net.onnx")


def test_what_is_installed():
    found = deploy.available()
    assert found["onnx"] == onnx.__version__
    assert all(found.values())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("flags\t: fpu avx512_vnni", True),
        ("flags : fpu avx_vnni", True),
        ("flags : avx2", False),
        ("Features", None),
    ],
)
def test_instructions_of_the_processor(text, found, monkeypatch):
    from optviz.deploy import packages

    monkeypatch.setattr(packages.Path, "read_text", lambda path: text)
    assert deploy.vnni() is found


def test_a_system_that_does_not_tell_its_processor(monkeypatch):
    from optviz.deploy import packages

    monkeypatch.setattr(packages, "Path", lambda name: Path("nowhere"))
    assert deploy.vnni() is None


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "onnxscript"])
def test_a_missing_package_is_named_and_all_else_works(package, monkeypatch, tmp_path, relu):
    import sys

    monkeypatch.setitem(sys.modules, package, None)
    assert deploy.available()[package] is None
    net, x = nn.Linear(4, 3), torch.rand(5, 4)
    calls = {
        "to_onnx": lambda: deploy.to_onnx(net, tmp_path / "net.onnx", x),
        "to_onnx_int8": lambda: deploy.to_onnx_int8(net, tmp_path / "net.onnx", [x]),
    }
    if package == "onnxruntime":
        calls["session"] = lambda: deploy.session(relu)
    if package == "onnx":
        calls["codes"] = lambda: deploy.codes(tmp_path / "net.onnx")
    for name, call in calls.items():
        message = rf"{name} needs {package} \(.*\); install it with: pip install 'optviz\[onnx\]'"
        with pytest.raises(ImportError, match=message):
            call()
    assert list(tmp_path.iterdir()) == []
    deploy.load(net, deploy.save(net, tmp_path / "net.safetensors"))
