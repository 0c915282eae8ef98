"""safetensors: exact, shared weights once, strict, and a damaged file is never loaded."""

import copy

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from optviz import deploy, models

KINDS = {
    "LeNet300100": models.LeNet300100,
    "LeNet5": models.LeNet5,
    "SmallCNN": models.SmallCNN,
    "ResidualCNN": models.ResidualCNN,
    "SmallTransformer": models.SmallTransformer,
}


class Tied(nn.Module):
    """Two names of one weight."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)
        self.second.weight = self.first.weight


def same(a, b):
    """Whether all bits are equal."""
    x, y = a.state_dict(), b.state_dict()
    return list(x) == list(y) and all(x[n].numpy().tobytes() == y[n].numpy().tobytes() for n in x)


@pytest.fixture
def saved(tmp_path):
    net = nn.Linear(4, 3)
    return net, deploy.save(net, tmp_path / "net.safetensors")


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_comes_back_bit_by_bit(kind, tmp_path):
    net, other = (KINDS[kind](generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    path = deploy.save(net, tmp_path / "deep" / "net.safetensors")
    found = deploy.load(other, path)
    assert same(found, net)
    assert not same(found, other)
    numbers = sum(p.nbytes for p in net.state_dict().values())
    assert numbers < path.stat().st_size < numbers + 8000


def test_what_was_passed_in_stays():
    net = models.ResidualCNN(size=8)
    net[2].eval()
    before = copy.deepcopy(net)
    modes = [part.training for part in net.modules()]
    with pytest.raises(FileNotFoundError):
        deploy.load(net, "nowhere.safetensors")
    assert same(net, before)
    assert modes == [part.training for part in net.modules()]


def test_a_copy_is_filled_and_has_the_modes_of_the_network(saved):
    net, path = saved
    other = nn.Linear(4, 3).eval().requires_grad_(False)
    before = copy.deepcopy(other)
    found = deploy.load(other, path)
    assert same(other, before)
    assert same(found, net)
    assert not found.training
    assert not found.weight.requires_grad


def test_special_numbers_and_types_stay(tmp_path):
    net = nn.Module()
    net.register_buffer("special", torch.tensor([-0.0, float("nan"), float("inf"), 1e-45]))
    net.register_buffer("integers", torch.tensor([[-128, 127]], dtype=torch.int8))
    net.register_buffer("short", torch.tensor([1.5], dtype=torch.bfloat16))
    net.register_buffer("steps", torch.tensor(3))
    path = deploy.save(net, tmp_path / "net")
    empty = copy.deepcopy(net)
    for p in empty.buffers():
        p.zero_()
    found = deploy.load(empty, path)
    assert found.special.numpy().tobytes() == net.special.numpy().tobytes()
    assert torch.equal(found.integers, net.integers)
    assert torch.equal(found.short, net.short)
    assert found.steps.shape == ()
    assert found.steps == 3


def test_a_shared_weight_is_stored_once_and_stays_shared(tmp_path):
    net = Tied()
    path = deploy.save(net, tmp_path / "net.safetensors")
    with safetensors.safe_open(path, "pt") as file:
        assert sorted(file.keys()) == ["first.bias", "first.weight", "second.bias"]
    found = deploy.load(Tied(), path)
    assert same(found, net)
    assert found.second.weight is found.first.weight


def test_others_read_our_files_and_we_read_theirs(tmp_path):
    net, tied = nn.Linear(4, 3), Tied()
    theirs = safetensors.torch.load_file(deploy.save(net, tmp_path / "a"))
    assert all(torch.equal(theirs[name], p) for name, p in net.state_dict().items())
    other = Tied()
    safetensors.torch.load_model(other, deploy.save(tied, tmp_path / "b"))
    assert same(other, tied)
    safetensors.torch.save_model(tied, tmp_path / "c")
    assert same(deploy.load(Tied(), tmp_path / "c"), tied)


def test_other_values_for_a_shared_weight_are_refused(tmp_path):
    parts = {name: p.clone() for name, p in Tied().state_dict().items()}
    parts["second.weight"] += 1
    safetensors.torch.save_file(parts, tmp_path / "net")
    with pytest.raises(ValueError, match=r"'second\.weight' must be equal to 'first\.weight'"):
        deploy.load(Tied(), tmp_path / "net")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (nn.Linear(4, 3, bias=False), r"no other names than the network's, got 'bias'"),
        (nn.Sequential(nn.Linear(4, 3)), r"every name of the network, got 'no 0\.weight, 0\.bias'"),
        (nn.Linear(4, 2), r"shape of 'weight' must be that of the network, \(2, 4\), got \(3, 4\)"),
        (
            nn.Linear(4, 3).double(),
            r"dtype of 'weight' must be that of the network, torch\.float64, got torch",
        ),
    ],
)
def test_a_file_of_another_network_is_refused(saved, other, message):
    before = copy.deepcopy(other)
    with pytest.raises(ValueError, match=message):
        deploy.load(other, saved[1])
    assert same(other, before)


def test_no_damaged_byte_changes_a_number(saved):
    """Whatever byte is hit, the file is refused; only the name of the checksum itself can go unnoticed."""
    net, path = saved
    whole = path.read_bytes()
    name = whole.index(b"optviz_crc32")
    for i in range(len(whole)):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :])
        if name <= i < name + 12:
            assert same(deploy.load(net, path), net)
            continue
        with pytest.raises(ValueError, match="load"):
            deploy.load(net, path)


@pytest.mark.parametrize("length", [0, 1, 7, 8, 40, -1])
def test_a_file_cut_off_or_of_another_kind_is_refused(saved, length):
    net, path = saved
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(
        ValueError, match=r"load\.path must be a whole safetensors file, got '.*net\.safetensors'"
    ):
        deploy.load(net, path)
    path.write_bytes(np.random.default_rng(0).bytes(200))
    with pytest.raises(ValueError, match=r"load\.path must be a whole safetensors file"):
        deploy.load(net, path)


def test_a_failed_save_leaves_the_old_file(saved):
    _, path = saved
    old = path.read_bytes()
    bad = nn.Module()
    bad.register_buffer("complex", torch.zeros(2, dtype=torch.complex64))
    with pytest.raises(ValueError, match="complex64"):
        deploy.save(bad, path)
    assert path.read_bytes() == old
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("wrong", [None, {"w": torch.zeros(2)}, "net"])
def test_only_modules(wrong, tmp_path):
    with pytest.raises(TypeError, match=r"save\.model must be a torch\.nn\.Module"):
        deploy.save(wrong, tmp_path / "net")
    with pytest.raises(TypeError, match=r"load\.model must be a torch\.nn\.Module"):
        deploy.load(wrong, tmp_path / "net")


def test_a_network_without_numbers_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one array"):
        deploy.save(nn.ReLU(), tmp_path / "net")
