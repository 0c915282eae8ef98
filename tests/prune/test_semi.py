"""2:4 sparse layers in torch's kernel where there is one, and a clear word where there is none."""

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from optviz import prune


def network(*sizes, dtype=torch.float32, seed=0):
    """Linear layers whose weights are 2:4 sparse."""
    generator = torch.Generator().manual_seed(seed)
    layers = [nn.Linear(a, b) for a, b in pairwise(sizes)]
    for layer in layers:
        nn.init.normal_(layer.weight, std=layer.in_features**-0.5, generator=generator)
    net = nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))[:-1]
    masks = prune.mask(prune.magnitude(dict(net.named_parameters())), scope=prune.NM(2, 4))
    return prune.bake(net, masks).to(dtype)


@pytest.fixture
def gpu(monkeypatch):
    """A machine that seems to have the kernel: what it is asked to pack is kept, and stays as it is."""
    packed = []

    def pack(weight):
        packed.append(tuple(weight.shape))
        return weight.clone()

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (8, 0))
    monkeypatch.setattr(torch.sparse, "to_sparse_semi_structured", pack)
    return packed


def test_layers_that_fit_are_packed_and_others_stay(gpu, monkeypatch):
    monkeypatch.setattr("optviz.prune.semi._check_weight", lambda name, weight: None)
    model = network(128, 64, 32, 10)
    before = copy.deepcopy(model.state_dict())
    found = prune.semi_structured(model)
    assert gpu == [(64, 128), (32, 64)]  # the last layer has 10 outputs
    assert found is not model
    assert not found[0].weight.requires_grad
    assert found[4].weight.requires_grad
    assert model[0].weight.requires_grad
    assert all(torch.equal(a, b) for a, b in zip(before.values(), model.state_dict().values(), strict=True))
    x = torch.randn(5, 128, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(found(x), model(x))
    gpu.clear()
    prune.semi_structured(model, of=("2",))
    assert gpu == [(32, 64)]


def test_a_machine_without_the_kernel_says_what_is_needed(gpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    with pytest.raises(RuntimeError, match=r"compute capability 8\.0 or more .*; this one has 7\.5"):
        prune.semi_structured(network(128, 64))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RuntimeError, match="torch sees no CUDA GPU here"):
        prune.semi_structured(network(128, 64))
    assert gpu == []


def test_weights_of_another_type_or_elsewhere_are_refused(gpu):
    with pytest.raises(ValueError, match=r"0\.weight must be of type float16 or bfloat16 on a CUDA device"):
        prune.semi_structured(network(128, 64))
    with pytest.raises(ValueError, match="got 'float16 on cpu'"):
        prune.semi_structured(network(128, 64, dtype=torch.float16))
    assert gpu == []


def dense():
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 32))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: prune.semi_structured(dense()),
            ValueError,
            r"that fits, got 0: 512 groups of 4 with more than 2 weights, 2: 32 inputs",
        ),
        (lambda: prune.semi_structured(nn.ReLU()), ValueError, "got no linear layer"),
        (lambda: prune.semi_structured(dense(), of=("0",)), ValueError, "of '0' must be 2:4 sparse"),
        (lambda: prune.semi_structured(dense(), of=("1",)), ValueError, "of must be linear layers among"),
        (lambda: prune.semi_structured(dense(), of="0"), TypeError, "of must be a tuple of names"),
        (lambda: prune.semi_structured(np.eye(4)), TypeError, "model must be a torch.nn.Module"),
    ],
)
def test_errors_say_what_is_wrong(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.cuda
@pytest.mark.skipif(
    not torch.cuda.is_available() or torch.cuda.get_device_capability() < (8, 0),
    reason="needs a CUDA GPU with sparse tensor cores",
)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_kernel_gives_the_same(dtype):
    model = network(256, 128, 64, 10, dtype=dtype).cuda().eval()
    found = prune.semi_structured(model)
    assert type(found[0].weight) is not nn.Parameter or "SemiStructured" in repr(found[0].weight)
    for batch in (1, 7, 64):
        x = torch.randn(batch, 256, generator=torch.Generator().manual_seed(batch)).to("cuda", dtype)
        with torch.inference_mode():
            torch.testing.assert_close(found(x), model(x), rtol=2e-2, atol=2e-2)
