"""Larger data sets, downloaded on request, checked, and kept in the cache folder."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from optviz._files import atomic_path, cache_folder, ready_folder
from optviz._knobs import require
from optviz.data.splits import Data, Split, frozen, stratified

__all__ = ["Remote", "cifar10", "fashion_mnist", "fetch", "mnist"]

SEED = 20240
TRAIN_X, TRAIN_Y = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
TEST_X, TEST_Y = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"


@dataclass(frozen=True)
class Remote:
    """Files to download: where they are, and what they must contain.

    Args:
        name: the data set, and the folder in the cache.
        files: (file name, SHA-256 of its content in hexadecimal) of each file.
        mirrors: addresses that the file names are appended to, tried in this order.

    Example:
        >>> Remote("letters", (("a.txt", "ca97…"),), ("http://127.0.0.1:8000/",)).name
        'letters'
    """

    name: str
    files: tuple[tuple[str, str], ...]
    mirrors: tuple[str, ...]


# Checksums: the SHA-256 that TensorFlow Datasets and torchvision publish; of the same files as torchvision's
# MD5 sums (MNIST, Fashion-MNIST) and as the MD5 sum on the page of CIFAR-10.
MNIST = Remote(
    "mnist",
    (
        (TRAIN_X, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        (TRAIN_Y, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        (TEST_X, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        (TEST_Y, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    ),
    (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ),
)
FASHION_MNIST = Remote(
    "fashion_mnist",
    (
        (TRAIN_X, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        (TRAIN_Y, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        (TEST_X, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        (TEST_Y, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    ),
    (
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
)
CIFAR10 = Remote(
    "cifar10",
    (("cifar-10-binary.tar.gz", "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"),),
    (
        "https://www.cs.toronto.edu/~kriz/",
        "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/",
    ),
)


def mnist(*, folder: Any = None, mirrors: Sequence[str] | None = None, progress: bool = True) -> Data:
    """The 70,000 handwritten digits of MNIST, 28×28 pixels (11 MB to download, once).

    Source: Y. LeCun, C. Cortes and C. J. C. Burges, yann.lecun.com/exdb/mnist; LeCun, Bottou, Bengio and
    Haffner, Gradient-based learning applied to document recognition, 1998, doi:10.1109/5.726791. License:
    CC BY-SA 3.0, copyright Y. LeCun and C. Cortes. Values are divided by 255.

    Args:
        folder: where the files are kept; ``mnist`` in the cache folder when not given.
        mirrors: addresses of folders to download from, tried in order, instead of the known ones.
        progress: show a progress bar while downloading.

    Returns:
        :class:`Data` with X of shape (N, 784) in [0, 1]: 50,000 + 10,000 images divided from the official
        training set, the same mix of classes in both, and the official 10,000 test images. 220 MB of memory.

    Raises:
        ConnectionError: if no mirror gave a file; it says how to go on without a network.
        OSError: if the folder can't be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as empty:  # nothing answers at this address
        ...     mnist(folder=empty, mirrors=["http://127.0.0.1:9/"])  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        ConnectionError: mnist could not be downloaded:...
    """
    return _idx(MNIST, folder, mirrors, progress, "MNIST (LeCun, Cortes, Burges)", "CC BY-SA 3.0")


def fashion_mnist(*, folder: Any = None, mirrors: Sequence[str] | None = None, progress: bool = True) -> Data:
    """70,000 pictures of clothes in 10 classes, 28×28 pixels (30 MB to download, once).

    Source: H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST, 2017, arXiv:1708.07747. License: MIT, copyright
    Zalando SE. Values are divided by 255.

    Args:
        folder: where the files are kept; ``fashion_mnist`` in the cache folder when not given.
        mirrors: addresses of folders to download from, tried in order, instead of the known ones.
        progress: show a progress bar while downloading.

    Returns:
        :class:`Data` with X of shape (N, 784) in [0, 1]: 50,000 + 10,000 images divided from the official
        training set, the same mix of classes in both, and the official 10,000 test images. 220 MB of memory.

    Raises:
        ConnectionError: if no mirror gave a file; it says how to go on without a network.
        OSError: if the folder can't be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as empty:  # nothing answers at this address
        ...     fashion_mnist(folder=empty, mirrors=["http://127.0.0.1:9/"])  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        ConnectionError: fashion_mnist could not be downloaded:...
    """
    return _idx(FASHION_MNIST, folder, mirrors, progress, "Fashion-MNIST (Xiao, Rasul, Vollgraf)", "MIT")


def cifar10(*, folder: Any = None, mirrors: Sequence[str] | None = None, progress: bool = True) -> Data:
    """60,000 color photographs in 10 classes, 32×32 pixels (170 MB to download, once).

    Source: A. Krizhevsky, Learning multiple layers of features from tiny images, 2009,
    www.cs.toronto.edu/~kriz/cifar.html, the binary version (no pickle is read). License: none is stated; the
    page asks to cite the report. Values are divided by 255.

    Args:
        folder: where the file is kept; ``cifar10`` in the cache folder when not given.
        mirrors: addresses of folders to download from, tried in order, instead of the known ones.
        progress: show a progress bar while downloading.

    Returns:
        :class:`Data` with X of shape (N, 3, 32, 32) in [0, 1]: 42,500 + 7,500 images divided from the
        official training set, the same mix of classes in both, and the official 10,000 test images. 740 MB
        of memory.

    Raises:
        ConnectionError: if no mirror gave the file; it says how to go on without a network.
        OSError: if the folder can't be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as empty:  # nothing answers at this address
        ...     cifar10(folder=empty, mirrors=["http://127.0.0.1:9/"])  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        ConnectionError: cifar10 could not be downloaded:...
    """
    (archive,) = fetch(CIFAR10, folder, mirrors, progress)
    with tarfile.open(archive) as tar:
        train = np.concatenate([_records(tar, f"data_batch_{i}.bin") for i in range(1, 6)])
        test = _records(tar, "test_batch.bin")
    images = train[:, 1:].reshape(-1, 3, 32, 32), test[:, 1:].reshape(-1, 3, 32, 32)
    parts = _official((images[0], train[:, 0]), (images[1], test[:, 0]), share=0.15)
    source = "CIFAR-10 (Krizhevsky, 2009)"
    return Data("cifar10", *parts, classes=10, shape=(3, 32, 32), source=source, license="none stated")


def fetch(
    remote: Remote,
    folder: Any = None,
    mirrors: Sequence[str] | None = None,
    progress: bool = True,
    timeout: float = 30.0,
) -> list[Path]:
    """Download what is missing, check everything, and return the paths.

    A file that is there with the right checksum is used as it is, so that a folder may be read-only once it
    is filled. A download is written beside its place and moved there only when its checksum is right.

    Args:
        remote: names, checksums and addresses.
        folder: where the files are kept; ``remote.name`` in the cache folder when not given.
        mirrors: addresses of folders to download from, tried in order, instead of ``remote.mirrors``.
        progress: show a progress bar.
        timeout: seconds to wait for a connection, and for each piece of an answer.

    Returns:
        The paths of the files, in the order of ``remote.files``.

    Raises:
        TypeError: if ``mirrors`` is one address instead of several.
        ConnectionError: if no mirror gave a file; it names files, folder, addresses and reasons.
        OSError: if the folder can't be written.

    Example:
        >>> import tempfile
        >>> note = Remote("notes", (("a.txt", hashlib.sha256(b"hello").hexdigest()),), ("http://127.0.0.1:9/",))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = (Path(folder) / "a.txt").write_bytes(b"hello")
        ...     [path.name for path in fetch(note, folder)]  # it is there: nothing is downloaded
        ['a.txt']
    """
    if isinstance(mirrors, str):
        raise TypeError(f"fetch.mirrors must be a list of addresses, got {mirrors!r}")
    mirrors = tuple(remote.mirrors if mirrors is None else mirrors)
    require(len(mirrors) > 0, "fetch.mirrors", "at least one address", mirrors)
    place = cache_folder() / remote.name if folder is None else Path(folder).expanduser().absolute()
    paths = [place / name for name, _ in remote.files]
    missing = [p for p, (_, digest) in zip(paths, remote.files, strict=True) if not _holds(p, digest)]
    if missing:
        ready_folder(place)
    for path in missing:
        reasons = _from_any(path, dict(remote.files)[path.name], mirrors, progress, timeout)
        if reasons:
            still = [p.name for p in missing[missing.index(path) :]]
            raise ConnectionError(_advice(remote.name, still, mirrors, place, reasons))
    return paths


def _holds(path: Path, digest: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == digest


def _from_any(path: Path, digest: str, mirrors: Sequence[str], progress: bool, timeout: float) -> list[str]:
    """Download from the first mirror that has it; else why each of them failed."""
    import requests

    reasons = []
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{path.name}"
        try:
            with atomic_path(path) as temporary:
                _stream(url, temporary, progress, timeout)
                if not _holds(temporary, digest):
                    size = temporary.stat().st_size
                    raise ValueError(f"what came ({size:,} bytes) has the wrong checksum")
            return []
        except (requests.RequestException, ValueError) as error:
            reasons.append(f"{url}: {_reason(error)}")
    return reasons


def _stream(url: str, path: Path, progress: bool, timeout: float) -> None:
    from pooch import HTTPDownloader
    from tqdm.auto import tqdm

    name = url.rsplit("/", 1)[-1]
    # total=1 until the size is known: a bar without a total has no truth value, and pooch asks for it
    with tqdm(total=1, desc=name, unit="B", unit_scale=True, leave=False, disable=not progress) as bar:
        headers = {"Accept-Encoding": "identity"}  # else some servers unpack the file on the way
        get = HTTPDownloader(bar if progress else False, chunk_size=1 << 16, timeout=timeout, headers=headers)
        get(url, str(path), None)


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server answered {response.status_code} {response.reason}"
    return str(error) if isinstance(error, ValueError) else f"no complete answer ({type(error).__name__})"


def _advice(name: str, files: list[str], mirrors: Sequence[str], place: Path, reasons: list[str]) -> str:
    lines = "".join(f"\n  {reason}" for reason in reasons)
    return (
        f"{name} could not be downloaded:{lines}\n"
        f"Without a network: get {', '.join(files)} from {mirrors[0]} on another machine and put "
        f"{'it' if len(files) == 1 else 'them'} into {place}; or use data.digits() or data.mnist5k(), "
        "which need no download."
    )


def _idx(
    remote: Remote, folder: Any, mirrors: Sequence[str] | None, progress: bool, source: str, license: str
) -> Data:
    """Four files in MNIST's format as data with 1/6 of the training set for validation."""
    train_x, train_y, test_x, test_y = (_read_idx(path) for path in fetch(remote, folder, mirrors, progress))
    shape = (1, *train_x.shape[1:])
    train = train_x.reshape(len(train_x), -1), train_y
    parts = _official(train, (test_x.reshape(len(test_x), -1), test_y), share=1 / 6)
    return Data(remote.name, *parts, classes=10, shape=shape, source=source, license=license)


def _read_idx(path: Path) -> np.ndarray:
    """An IDX file of bytes: two zeros, the type (8), the number of axes, their lengths, the values."""
    content = gzip.decompress(path.read_bytes())
    require(content[:3] == b"\0\0\x08", path.name, "an IDX file of bytes", content[:4])
    shape = np.frombuffer(content, ">i4", content[3], 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * content[3]).reshape(shape)


def _records(tar: tarfile.TarFile, name: str) -> np.ndarray:
    """Rows of label and 3,072 pixels of one of CIFAR-10's binary files, read without unpacking to disk."""
    file = tar.extractfile(f"cifar-10-batches-bin/{name}")
    assert file is not None  # the checksum of the archive has been checked
    return np.frombuffer(file.read(), np.uint8).reshape(-1, 3073)


def _official(
    train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray], share: float
) -> tuple[Split, Split, Split]:
    """The three parts: a share of the official training set is for validation, the test set as it is."""
    X, y = train
    kept, held = stratified(y, (1 - share, share), SEED)
    return _split(X[kept], y[kept]), _split(X[held], y[held]), _split(*test)


def _split(pixels: np.ndarray, y: np.ndarray) -> Split:
    X = pixels.astype(np.float32)
    X /= 255
    return frozen(X, y.astype(np.int64))
