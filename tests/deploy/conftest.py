"""ONNX files that are made once."""

from functools import cache

import pytest

from optviz import deploy
from tests.deploy.networks import inputs, network


@pytest.fixture(scope="session")
def onnx_file(tmp_path_factory):
    """Name of a network -> its file in floating point."""

    @cache
    def made(kind):
        folder = tmp_path_factory.mktemp(kind) / "deep"
        return deploy.to_onnx(network(kind), folder / "net.onnx", inputs(kind, 1).numpy())

    return made
