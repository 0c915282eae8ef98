"""Parameters and multiplications: counted as one counts by hand, with the model left as it was."""

import copy
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import prune
from torch.utils.flop_counter import FlopCounterMode

from optviz import ledger
from optviz.models import LeNet5, LeNet300100, ResidualCNN, SmallCNN, SmallTransformer


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.out = nn.Embedding(7, 5), nn.Linear(5, 7, bias=False)
        self.out.weight = self.embed.weight

    def forward(self, x):
        return self.out(self.embed(x))


def test_parameters_of_a_known_network():
    found = ledger.parameters(LeNet300100())
    assert (found.total, found.prunable) == (266_610, 784 * 300 + 300 * 100 + 100 * 10)
    assert found.sparsity == found.overall_sparsity == 0.0


def test_sparsity_over_prunable_is_another_than_over_all():
    weights = {"w": np.array([[0.0, -0.0, 1.0, 2.0]]), "b": np.zeros(4), "one": np.ones(())}
    for found in (weights, {name: torch.tensor(w) for name, w in weights.items()}):
        counts = ledger.parameters(found)
        assert counts == ledger.Counts(total=9, prunable=4, nonzero=3, kept=2)
        assert (counts.sparsity, counts.overall_sparsity) == (0.5, pytest.approx(6 / 9))


def test_shared_weights_count_once():
    assert ledger.parameters(Tied()).total == 35
    assert sum(ledger.macs(Tied(), torch.zeros(3, 2, dtype=torch.long)).values()) == 2 * 5 * 7


def test_int8_tensors_are_counted_too():
    counts = ledger.parameters({"w": torch.tensor([[0, 1, -1]], dtype=torch.int8)})
    assert (counts.total, counts.kept) == (3, 2)


# Multiply–accumulates


def by_hand(layer, out):
    """Products for one example, from the shapes alone."""
    if isinstance(layer, nn.Linear):
        return out[0].numel() * layer.in_features
    return out[0].numel() * layer.weight[0].numel()


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (LeNet300100(), (784,)),
        (SmallCNN(), (1, 28, 28)),
        (nn.Sequential(nn.Conv1d(4, 6, 3, groups=2), nn.ReLU(), nn.Conv1d(6, 2, 2, dilation=2)), (4, 20)),
        (nn.Sequential(nn.Conv2d(6, 6, 3, groups=6, padding=1, bias=False), nn.Conv2d(6, 4, 1)), (6, 9, 9)),
        (nn.Sequential(nn.Linear(5, 4, bias=False), nn.LayerNorm(4), nn.Linear(4, 3)), (6, 5)),
        (nn.Sequential(nn.Conv3d(2, 3, 2), nn.BatchNorm3d(3), nn.Flatten(), nn.Linear(81, 2)), (2, 4, 4, 4)),
    ],
)
def test_linear_and_convolution(model, shape, batch):
    outputs = {}
    x = torch.zeros(batch, *shape)
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear | nn.modules.conv._ConvNd):
            layer.register_forward_hook(lambda m, i, o, name=name: outputs.update({name: by_hand(m, o)}))
    with torch.no_grad():
        copy.deepcopy(model).eval()(x)
    assert ledger.macs(model, x) == outputs
    assert ledger.macs(model, x, nonzero=True) == outputs


def test_known_totals():
    assert sum(ledger.macs(LeNet300100(), torch.zeros(2, 784)).values()) == 266_200
    assert (
        sum(ledger.macs(SmallCNN(), np.zeros((2, 784))).values()) == 14 * 14 * 16 * 9 + 49 * 32 * 144 + 15_680
    )


def test_transposed_convolution_counts_each_input_once():
    model = nn.ConvTranspose2d(3, 5, 2, stride=2)
    assert ledger.macs(model, torch.zeros(2, 3, 4, 4)) == {"": 3 * 16 * 5 * 4}


def test_known_totals_of_lenet5():
    """Caffe's network: 24² · 20 · 25 + 8² · 50 · 500 + 800 · 500 + 500 · 10."""
    found = ledger.macs(LeNet5(), torch.zeros(3, 784))
    assert sorted(found.values()) == [5_000, 288_000, 400_000, 1_600_000]
    assert ledger.parameters(LeNet5()).total == 431_080


@pytest.mark.parametrize("make", [lambda: ResidualCNN(size=8, width=4), SmallTransformer])
def test_the_total_is_half_the_flops_that_torch_counts(make):
    model, x = make(), torch.zeros(2, 64)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(x)
    assert sum(ledger.macs(model, x).values()) == counter.get_total_flops() / 2 / len(x) > 0


class Attends(nn.Module):
    """Attention written out in three ways; all have the same products."""

    def __init__(self, way):
        super().__init__()
        self.way, self.qkv, self.out = way, nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, x):
        n, length, width = x.shape
        q, k, v = self.qkv(x).view(n, length, 3, 2, 4).permute(2, 0, 3, 1, 4)
        if self.way == "fused":
            mixed = F.scaled_dot_product_attention(q, k, v)
        elif self.way == "matmul":
            mixed = (q @ k.transpose(-1, -2) / 2).softmax(-1) @ v
        else:
            mixed = torch.einsum("nhlm,nhmd->nhld", torch.einsum("nhld,nhmd->nhlm", q, k).softmax(-1), v)
        return self.out(mixed.transpose(1, 2).reshape(n, length, width))


@pytest.mark.parametrize("way", ["fused", "matmul", "einsum"])
def test_attention(way):
    found = ledger.macs(Attends(way), torch.zeros(3, 5, 8))
    assert found == {"qkv": 5 * 8 * 24, "": 2 * 5 * 5 * 8, "out": 5 * 8 * 8}


def test_torch_attention_layers():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    fast = torch.backends.mha.get_fastpath_enabled()
    work = ledger.macs(layer.eval(), torch.zeros(3, 5, 8))
    assert sum(work.values()) == 5 * 8 * 24 + 2 * 5 * 5 * 8 + 5 * 8 * 8 + 2 * 5 * 8 * 16
    assert torch.backends.mha.get_fastpath_enabled() == fast


def test_products_with_zero_weights_can_be_left_out():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(16, 5), nn.Linear(5, 2))
    with torch.no_grad():
        model[0].weight[:3] = 0
        model[2].weight.view(-1)[:60] = 0
    x = torch.zeros(2, 1, 4, 4)
    assert ledger.macs(model, x) == {"0": 4 * 9 * 4, "2": 80, "3": 10}
    assert ledger.macs(model, x, nonzero=True) == {"0": 9 * 4, "2": 20, "3": 10}


def test_masks_of_torch_prune_count_as_zeros():
    model = nn.Sequential(nn.Linear(10, 10))
    prune.l1_unstructured(model[0], "weight", amount=0.7)
    assert ledger.macs(model, torch.zeros(1, 10), nonzero=True) == {"0": 30}


def test_the_model_is_left_as_it_was():
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
    model[1].eval()
    before, modes = copy.deepcopy(model.state_dict()), [m.training for m in model.modules()]
    ledger.macs(model, torch.randn(6, 4))
    assert all(torch.equal(a, b) for a, b in zip(before.values(), model.state_dict().values(), strict=True))
    assert [m.training for m in model.modules()] == modes
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_a_model_that_fails_is_left_as_it_was():
    model = nn.Sequential(nn.Linear(4, 4))
    with pytest.raises(RuntimeError):
        ledger.macs(model, torch.zeros(2, 5))
    assert model.training
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ledger.macs(lambda x: x, torch.zeros(1)), TypeError, "macs.model must be a torch.nn.Module"),
        (lambda: ledger.macs(nn.Linear(2, 2), torch.zeros(0, 2)), ValueError, "macs.example must be a batch"),
        (lambda: ledger.macs(nn.LSTM(2, 2), torch.zeros(1, 2)), ValueError, "without recurrent layers"),
        (lambda: ledger.parameters([1.0]), TypeError, "must be a module or a mapping"),
    ],
)
def test_errors_say_what_is_wrong(call, error, message):
    with warnings.catch_warnings(), pytest.raises(error, match=message):
        call()
