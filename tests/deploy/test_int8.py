"""Static int8: ONNX Runtime's own quantizer as oracle, every range, and what is refused."""

import tempfile

import numpy as np
import onnx
import pytest
import torch
from onnxruntime import quantization as theirs
from torch import nn

from optviz import deploy, quantize
from tests.deploy.networks import SHAPES, inputs, network

RANGES = [
    quantize.MinMax(),
    quantize.MovingAverage(0.5),
    quantize.Percentile(0.9),
    quantize.MSE(),
    quantize.Entropy(),
]


class Reader(theirs.CalibrationDataReader):
    def __init__(self, batches):
        self.left = [{"input": x.numpy()} for x in batches]

    def get_next(self):
        return self.left.pop(0) if self.left else None


def same(a, b):
    """Whether two files hold the same codes."""
    x, y = deploy.codes(a), deploy.codes(b)
    assert list(x) == list(y)
    for name in x:
        for part in ("scale", "zero_point", "low", "high"):
            np.testing.assert_array_equal(getattr(x[name].q, part), getattr(y[name].q, part), err_msg=name)
        np.testing.assert_array_equal(x[name].integers, y[name].integers)
    return True


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("kind", ["LeNet5", "SmallCNN", "SmallTransformer"])
def test_the_file_is_that_of_onnx_runtimes_quantizer(kind, symmetric, onnx_file, tmp_path):
    batches = [inputs(kind, 8, seed) for seed in (1, 2, 3)]
    ours = deploy.to_onnx_int8(onnx_file(kind), tmp_path / "ours", iter(batches), symmetric=symmetric)
    theirs.quantize_static(
        onnx.load(onnx_file(kind)),
        tmp_path / "theirs",
        Reader(batches),
        per_channel=True,
        activation_type=theirs.QuantType.QInt8 if symmetric else theirs.QuantType.QUInt8,
        weight_type=theirs.QuantType.QInt8,
        extra_options={"ActivationSymmetric": symmetric},
    )
    assert same(ours, tmp_path / "theirs")
    x = inputs(kind, 50, 9)
    assert torch.equal(deploy.run_onnx(ours, x), deploy.run_onnx(tmp_path / "theirs", x))


@pytest.mark.parametrize("kind", [kind for kind in SHAPES if kind != "ResidualCNN"])
def test_outputs_are_near_and_the_file_is_small(kind, onnx_file, tmp_path):
    path = deploy.to_onnx_int8(onnx_file(kind), tmp_path / "net.onnx", inputs(kind, 64))
    for count in (1, 7):
        x = inputs(kind, count, 2)
        y = network(kind).eval()(x).detach()
        assert float((deploy.run_onnx(path, x) - y).abs().max()) < 0.03 * float(y.abs().max())
    if kind.startswith("LeNet"):
        assert path.stat().st_size < 0.28 * onnx_file(kind).stat().st_size
    assert [p.name for p in tmp_path.iterdir()] == ["net.onnx"]


def test_batch_norm_is_folded_the_network_stays_and_nothing_is_said(tmp_path, monkeypatch, capfd):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    net, x = network("ResidualCNN"), inputs("ResidualCNN", 32)
    before = {name: p.clone() for name, p in net.state_dict().items()}
    path = deploy.to_onnx_int8(net, tmp_path / "net.onnx", [x.double().numpy()])
    assert net.training
    assert all(torch.equal(p, before[name]) for name, p in net.state_dict().items())
    assert not any(node.op_type == "BatchNormalization" for node in onnx.load(path).graph.node)
    y = net.eval()(x).detach()
    assert float((deploy.run_onnx(path, x) - y).abs().max()) < 0.03 * float(y.abs().max())
    assert capfd.readouterr() == ("", "")
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("range", RANGES, ids=lambda r: type(r).__name__)
def test_every_range_sees_all_batches(range, symmetric, onnx_file, tmp_path):
    x = torch.randn(30, 64, generator=torch.Generator().manual_seed(0))
    batches = [x[:10], 3 * x[10:20], x[20:] - 1]
    options = {"range": range, "symmetric": symmetric}
    path = deploy.to_onnx_int8(onnx_file("SmallCNN"), tmp_path / "net", batches, **options)
    state = range.start()
    for batch in batches:
        state = range.update(state, batch.numpy().reshape(1, -1))
    q = quantize.from_range(*range.finish(state, 8, symmetric), 8, symmetric)
    found = next(code.q for code in deploy.codes(path).values() if code.integers is None)
    np.testing.assert_allclose(found.scale, q.scale[0], rtol=1e-5)
    assert found.zero_point.dtype == ("int8" if symmetric else "uint8")
    assert abs(int(found.zero_point) - int(q.zero_point[0])) <= 1  # half a step decides


def test_weights_biases_and_relu(onnx_file, tmp_path):
    net, source = network("LeNet300100"), onnx_file("LeNet300100")
    found = deploy.codes(deploy.to_onnx_int8(source, tmp_path / "net", inputs("LeNet300100", 64)))
    assert list(found)[-1] == "output"
    for name in ("0", "2", "4"):
        weight = net.get_parameter(f"{name}.weight").detach().numpy()
        code = found[f"{name}.weight"]
        assert code.integers.dtype == np.int8
        assert code.q.scale.shape == (len(weight), 1)
        np.testing.assert_allclose(code.q.scale, abs(weight).max(1, keepdims=True) / 127, rtol=1e-5)
        assert not code.q.zero_point.any()
        assert code.integers.min() >= -127
        error = abs(quantize.dequantize(code.integers, code.q) - weight)
        assert (error <= 0.5001 * code.q.scale).all()
    bias = found["0.bias"]
    assert bias.integers.dtype == np.int32
    np.testing.assert_allclose(
        bias.q.scale, found["input"].q.scale * found["0.weight"].q.scale[:, 0], rtol=1e-6
    )
    hidden = [
        code for name, code in found.items() if code.integers is None and name not in ("input", "output")
    ]
    assert len(hidden) == 2
    assert all(code.q.zero_point == code.q.low == 0 for code in hidden), "what ReLU leaves begins at 0"


def test_one_scale_a_tensor_seven_bits_and_layers_left_out(onnx_file, tmp_path):
    source, x = onnx_file("SmallCNN"), inputs("SmallCNN", 64)
    options = {"per": quantize.PerTensor(), "reduce_range": True, "skip": ("7",)}
    found = deploy.codes(deploy.to_onnx_int8(source, tmp_path / "net", x, **options))
    weights = {name: code for name, code in found.items() if name.endswith("weight")}
    assert sorted(weights) == ["2.weight", "4.weight"]
    for code in weights.values():
        assert code.q.scale.shape == ()
        assert 60 <= abs(code.integers.astype(int)).max() <= 64
    y = network("SmallCNN").eval()(x).detach()
    assert float((deploy.run_onnx(tmp_path / "net", x) - y).abs().max()) < 0.03 * float(y.abs().max())


def test_a_stream_is_read_once_batch_by_batch(onnx_file, tmp_path):
    seen = []

    def stream():
        for seed in range(4):
            seen.append(seed)
            yield inputs("SmallCNN", 3 + seed, seed)

    path = deploy.to_onnx_int8(onnx_file("SmallCNN"), tmp_path / "net", stream())
    assert seen == [0, 1, 2, 3]
    whole = torch.cat([inputs("SmallCNN", 3 + seed, seed) for seed in range(4)])
    assert same(path, deploy.to_onnx_int8(onnx_file("SmallCNN"), tmp_path / "again", whole))


X = torch.rand(4, 64)


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        ([], r"batches must be at least one batch of inputs, got 'none'"),
        (iter(()), r"batches must be at least one batch of inputs, got 'none'"),
        ([torch.arange(10)], r"batches\[0\] must be a batch of inputs \(N, …\), floats, got 'torch.int64 of"),
        ([X, torch.arange(10).float()], r"batches\[1\] must be a batch of inputs \(N, …\), floats"),
        ([X, X * np.nan], r"batches\[1\] must be finite"),
        ([np.full((2, 64), np.inf)], r"batches\[0\] must be finite"),
        ([X, X[:0]], r"batches\[1\] must be a batch of inputs"),
        ([X, torch.rand(4, 8, 8)], r"batches\[1\] must be of shape \(N, 64\), got \(4, 8, 8\)"),
    ],
)
def test_bad_batches_are_refused_and_the_old_file_stays(batches, message, onnx_file, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_text("old")
    with pytest.raises(ValueError, match=r"to_onnx_int8\." + message):
        deploy.to_onnx_int8(onnx_file("SmallCNN"), path, batches)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["net.onnx"]


@pytest.mark.parametrize("batches", [[(X, torch.arange(4))], [[1.0, 2.0]], ["images"]])
def test_pairs_with_labels_are_refused(batches, onnx_file):
    with pytest.raises(
        TypeError, match=r"batches\[0\] must be inputs \(an array or a tensor\) without labels"
    ):
        deploy.to_onnx_int8(onnx_file("SmallCNN"), "never", batches)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"per": quantize.PerGroup(8)}, r"per must be PerTensor\(\) or PerChannel\(0\), got PerGroup"),
        ({"per": quantize.PerChannel(1)}, r"per must be PerTensor\(\) or PerChannel\(0\), got PerChannel"),
        ({"skip": ("head",)}, r"skip must be names of layers, of 2, 4, 7, got 'head'"),
    ],
)
def test_bad_options_are_refused(options, message, onnx_file):
    with pytest.raises(ValueError, match=r"to_onnx_int8\." + message):
        deploy.to_onnx_int8(onnx_file("SmallCNN"), "never", X, **options)


def test_a_bad_network_is_refused(tmp_path):
    with pytest.raises(TypeError, match=r"to_onnx_int8\.model must be a torch\.nn\.Module"):
        deploy.to_onnx_int8(None, "never", X)
    with pytest.raises(
        ValueError, match=r"to_onnx_int8\.batches\[0\] must be a batch that the network takes"
    ):
        deploy.to_onnx_int8(nn.Linear(3, 2), "never", X)
    (tmp_path / "net").write_text("no network")
    with pytest.raises(ValueError, match=r"to_onnx_int8\.model must be a whole ONNX file, got '.*net'"):
        deploy.to_onnx_int8(tmp_path / "net", "never", X)


@pytest.mark.parametrize("per", [quantize.PerTensor(), quantize.PerChannel(0)])
def test_a_transposed_convolution_has_its_scales_along_the_other_axis(per, tmp_path):
    net = nn.Sequential(nn.ConvTranspose2d(3, 6, 2), nn.ReLU()).requires_grad_(False)
    net[0].weight *= torch.logspace(-2, 0, 6)[:, None, None]
    x = torch.rand(32, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    path = deploy.to_onnx_int8(net, tmp_path / "net", [x], per=per)
    largest = net[0].weight.abs()
    largest = largest.max() if per == quantize.PerTensor() else largest.amax((0, 2, 3), keepdim=True)
    scale = deploy.codes(path)["0.weight"].q.scale
    assert scale.shape == largest.shape
    np.testing.assert_allclose(scale, largest / 127, rtol=1e-5)


def test_what_onnx_runtime_cannot_quantize_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"model must be a network that ONNX Runtime can quantize, got: operands"
    ):
        deploy.to_onnx_int8(nn.ConvTranspose2d(4, 6, 3, groups=2), tmp_path / "net", torch.rand(2, 4, 4, 4))
    assert list(tmp_path.iterdir()) == []


def test_codes_of_files(onnx_file, tmp_path):
    assert deploy.codes(onnx_file("SmallCNN")) == {}, "nothing is quantized"
    with pytest.raises(FileNotFoundError):
        deploy.codes(tmp_path / "net")
    (tmp_path / "net").write_bytes(onnx_file("SmallCNN").read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"codes\.path must be a whole ONNX file, got '.*net'"):
        deploy.codes(tmp_path / "net")
