"""ONNX files that are made once, by an exporter that starts once."""

from collections.abc import Iterator
from functools import cache

import pytest

from optviz import deploy
from optviz.deploy.packages import quiet
from tests.deploy.networks import inputs, network


@pytest.fixture(autouse=True, scope="session")
def _one_registry() -> Iterator[None]:
    """The exporter reads its 500 translations anew in every call, which takes a second; here once."""
    with quiet():
        from torch.onnx._internal.exporter import _registration
    kind = _registration.ONNXRegistry
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "from_torchlib", staticmethod(cache(kind.from_torchlib)))
        yield


@pytest.fixture(scope="session")
def onnx_file(tmp_path_factory):
    """Name of a network -> its file in floating point."""

    @cache
    def made(kind):
        folder = tmp_path_factory.mktemp(kind) / "deep"
        return deploy.to_onnx(network(kind), folder / "net.onnx", inputs(kind, 1).numpy())

    return made
