"""Downloads, from a server on loopback."""

import gzip
import hashlib
import http.server
import io
import os
import tarfile
import threading

import numpy as np
import pytest

from optviz.data import download
from optviz.data.download import Remote, fetch

CONTENT = np.random.default_rng(0).bytes(300_000)
SHA = hashlib.sha256(CONTENT).hexdigest()
DEAD = "http://127.0.0.1:9/"  # nothing listens on the discard port


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        kind, _, name = self.path.strip("/").partition("/")
        body = self.server.files.get(name)
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        changed = {"corrupted": body[:-1] + bytes([body[-1] ^ 1]), "truncated": body[: len(body) // 2]}
        self.wfile.write(changed.get(kind, body))

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    """A server whose folders /good/, /corrupted/ and /truncated/ hold ``server.files``."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.files, running.asked = {"a.bin": CONTENT}, []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.at = lambda kind: f"http://127.0.0.1:{running.server_port}/{kind}/"
        yield running
        running.shutdown()
        thread.join()


REMOTE = Remote("things", (("a.bin", SHA),), (DEAD,))


def get(folder, *mirrors, remote=REMOTE):
    return fetch(remote, folder, mirrors, progress=False, timeout=5)


def test_a_good_file_is_kept_and_not_asked_for_again(server, tmp_path):
    for _ in range(2):
        (path,) = get(tmp_path / "new" / "folder", server.at("good"))
        assert path.read_bytes() == CONTENT
    assert server.asked == ["/good/a.bin"]
    assert os.listdir(path.parent) == ["a.bin"]


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_dead_and_a_bad_mirror_are_passed_over(server, tmp_path, slash):
    mirrors = [DEAD, server.at("corrupted"), server.at("truncated"), server.at("good").rstrip("/") + slash]
    (path,) = get(tmp_path, *mirrors)
    assert path.read_bytes() == CONTENT
    assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("corrupted", r"what came \(300,000 bytes\) has the wrong checksum"),
        ("truncated", r"no complete answer|wrong checksum"),
        ("good/missing", "the server answered 404 Not Found"),
    ],
)
def test_a_bad_file_is_never_kept(server, tmp_path, kind, reason):
    with pytest.raises(ConnectionError, match=reason):
        get(tmp_path, server.at(kind))
    assert os.listdir(tmp_path) == []


def test_offline_says_what_to_do(tmp_path):
    remote = Remote("things", (("a.bin", SHA), ("b.bin", SHA)), (DEAD, "http://127.0.0.1:9/x"))
    with pytest.raises(ConnectionError) as caught:
        fetch(remote, tmp_path, progress=False)
    text = str(caught.value)
    assert "things could not be downloaded" in text
    assert "http://127.0.0.1:9/a.bin: no complete answer (ConnectionError)" in text
    assert "http://127.0.0.1:9/x/a.bin" in text
    assert f"get a.bin, b.bin from {DEAD} on another machine and put them into {tmp_path}" in text
    assert "data.digits()" in text


def test_files_put_there_by_hand_are_used_offline(tmp_path):
    (tmp_path / "a.bin").write_bytes(CONTENT)
    assert get(tmp_path, DEAD) == [tmp_path / "a.bin"]


def test_a_corrupted_file_in_the_folder_is_replaced(server, tmp_path):
    (tmp_path / "a.bin").write_bytes(CONTENT[:-1])
    (path,) = get(tmp_path, server.at("good"))
    assert path.read_bytes() == CONTENT


def test_a_failed_download_leaves_the_old_file(server, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"old")
    with pytest.raises(ConnectionError):
        get(tmp_path, server.at("truncated"))
    assert (tmp_path / "a.bin").read_bytes() == b"old"


def test_a_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="must be a folder that can be written to"):
        get(tmp_path / "file" / "sub", server.at("good"))
    assert server.asked == []


def test_a_folder_that_is_read_only(server, tmp_path, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, f"{folder} must be a folder that can be written to")

    monkeypatch.setattr(download, "ready_folder", refuse)
    with pytest.raises(PermissionError, match="must be a folder"):
        get(tmp_path, server.at("good"))
    (tmp_path / "a.bin").write_bytes(CONTENT)
    assert get(tmp_path, server.at("good"))  # what is there already is used without writing


def test_the_cache_folder_is_the_default(server, tmp_path, monkeypatch):
    monkeypatch.setenv("OPTVIZ_CACHE", str(tmp_path))
    (path,) = get(None, server.at("good"))
    assert path == tmp_path / "things" / "a.bin"


def test_no_mirrors():
    with pytest.raises(ValueError, match=r"fetch\.mirrors must be at least one address"):
        get(None)


def test_one_address_is_not_taken_for_a_list_of_letters():
    with pytest.raises(TypeError, match=r"fetch\.mirrors must be a list of addresses, got 'http"):
        fetch(REMOTE, None, "http://127.0.0.1:9/")


def test_progress_is_shown_on_request(server, tmp_path, capsys):
    fetch(REMOTE, tmp_path, [server.at("good")], progress=True)
    assert "a.bin" in capsys.readouterr().err


def idx(array):
    header = b"\0\0\x08" + bytes([array.ndim]) + np.array(array.shape, ">i4").tobytes()
    return gzip.compress(header + array.astype(np.uint8).tobytes())


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_idx_data_sets(server, tmp_path, monkeypatch, name):
    rng = np.random.default_rng(1)
    train, test = rng.integers(0, 256, (120, 28, 28)), rng.integers(0, 256, (30, 28, 28))
    labels, test_labels = np.arange(120) % 10, np.arange(30) % 10
    contents = [idx(a) for a in (train, labels, test, test_labels)]
    remote = getattr(download, name.upper())
    files = tuple(
        (f, hashlib.sha256(c).hexdigest()) for (f, _), c in zip(remote.files, contents, strict=True)
    )
    server.files.update({f: c for (f, _), c in zip(files, contents, strict=True)})
    monkeypatch.setattr(download, name.upper(), Remote(name, files, (DEAD,)))
    d = getattr(download, name)(folder=tmp_path, mirrors=[server.at("good")], progress=False)
    assert (d.name, d.shape, len(d.train), len(d.validation)) == (name, (1, 28, 28), 100, 20)
    assert (np.bincount(d.validation.y) == 2).all()
    np.testing.assert_array_equal(d.test.X, (test / 255).astype(np.float32).reshape(30, 784))
    np.testing.assert_array_equal(d.test.y, test_labels)
    rows = np.concatenate([d.train.X, d.validation.X])
    assert {r.tobytes() for r in rows} == {
        r.tobytes() for r in (train.reshape(120, -1) / 255).astype(np.float32)
    }


def test_cifar10(server, tmp_path, monkeypatch):
    rng = np.random.default_rng(2)
    raw, packed = {}, io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]:
            raw[name] = rng.integers(0, 256, (20, 3073), np.uint8)
            raw[name][:, 0] = np.arange(20) % 10
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = raw[name].size
            tar.addfile(member, io.BytesIO(raw[name].tobytes()))
    file = "cifar-10-binary.tar.gz"
    server.files[file] = packed.getvalue()
    remote = Remote("cifar10", ((file, hashlib.sha256(packed.getvalue()).hexdigest()),), (server.at("good"),))
    monkeypatch.setattr(download, "CIFAR10", remote)
    d = download.cifar10(folder=tmp_path, progress=False)
    assert (d.shape, len(d.train), len(d.validation), len(d.test)) == ((3, 32, 32), 85, 15, 20)
    expected = raw["test_batch.bin"][:, 1:].reshape(-1, 3, 32, 32) / np.float32(255)
    np.testing.assert_allclose(d.test.X, expected, rtol=1e-6)
    assert not d.train.X.flags.writeable
    assert os.listdir(tmp_path) == [file]


def test_a_file_that_is_no_idx(tmp_path):
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"hello world"))
    with pytest.raises(ValueError, match="must be an IDX file of bytes"):
        download._read_idx(tmp_path / "x.gz")


def test_known_files_are_well_formed():
    for remote in (download.MNIST, download.FASHION_MNIST, download.CIFAR10):
        assert len(remote.mirrors) >= 2
        for name, digest in remote.files:
            assert name.endswith(".gz")
            assert len(digest) == 64
            assert set(digest) <= set("0123456789abcdef")
