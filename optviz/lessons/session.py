"""The first cell of every lesson: which device, which seed."""

from __future__ import annotations

from optviz._knobs import require

__all__ = ["setup"]


def setup(seed: int = 0, device: str = "auto", threads: int = 1) -> tuple[str, int]:
    """Choose the device and the seed of a lesson, say so, and set PyTorch's number of threads.

    One thread is the default because the networks of the lessons are small: beside any other busy process two
    threads are slower than one.

    Args:
        seed: handed to everything that draws random numbers.
        device: ``"cpu"``, ``"cuda"``, ``"mps"`` or ``"auto"`` (CUDA, else CPU).
        threads: threads PyTorch may use in this process.

    Returns:
        (device, seed).

    Raises:
        ValueError: if the device is not there, or seed or threads are out of range.

    Example:
        >>> setup(device="cpu")
        device cpu, seed 0
        ('cpu', 0)
    """
    import torch

    require(isinstance(seed, int) and seed >= 0, "setup.seed", "a whole number of at least 0", seed)
    require(
        isinstance(threads, int) and threads >= 1, "setup.threads", "a whole number of at least 1", threads
    )
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        device = "cuda" if there["cuda"] else "cpu"
    found = [name for name, ok in there.items() if ok]
    require(device in found, "setup.device", f"'auto' or one of {found}", device)
    torch.set_num_threads(threads)
    print(f"device {device}, seed {seed}")
    return device, seed
