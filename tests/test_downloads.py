import hashlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import traceback
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trustme

from skcifar._system import downloads
from skcifar._system.downloads import download

CONTENT = b"what was wanted" * 20_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()

_SILENT = "almost nothing was received from [a-z0-9.]+ for 0.5 s"


@contextmanager
def serve(answer, folder, monkeypatch):
    """Run a server for the time of a ``with``; yield its URL, which `requests` trusts.

    `answer` gets the request handler, whose ``wfile`` is the connection.
    """
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(folder / "authority.pem"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = _Server(("127.0.0.1", 0), _handler(answer))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}/file"
    finally:
        server.shutdown()
        thread.join()
        server.break_off()
        server.server_close()


class _Server(ThreadingHTTPServer):
    """Leaves no thread and no connection behind: a socket that is collected later would warn then,
    in the middle of another test.
    """

    daemon_threads, block_on_close = False, True  # `server_close` waits for those who answer

    def __init__(self, *args):
        super().__init__(*args)
        self._connections = []

    def get_request(self):
        connection, address = super().get_request()
        self._connections.append(connection)
        return connection, address

    def break_off(self):
        """End whatever is still being sent or read."""
        for connection in self._connections:
            with suppress(OSError):  # closed already
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request, client_address):
        """Say nothing of clients that went away."""


def send(handler, content, *, status=200, announced=None, **headers):
    """Send `content`, announcing its length, or another one."""
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(content) if announced is None else announced))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(content)


def _handler(answer):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            answer(self)

        def log_message(self, *args):
            pass

    return Handler


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Return a function: start a server with an answer, get its URL."""
    monkeypatch.setattr(downloads, "_PAUSE", 0.01)
    with ExitStack() as servers:
        yield lambda answer: servers.enter_context(serve(answer, tmp_path, monkeypatch))


@pytest.fixture
def hang(served):
    """An event that nobody sets before the test is over."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "folder" / "weights.h5"


def assert_fails(url, target, match, **options):
    with pytest.raises(OSError, match=match) as caught:
        download(url, target, advice="Use weights=None.", **options)
    message = str(caught.value)
    assert message.startswith(f"weights.h5 is not in the folder {target.parent}, ")
    assert message.endswith(" Use weights=None.")
    assert list(target.parent.iterdir()) == []


def test_file_arrives_whole_in_a_folder_that_is_made(served, target):
    url = served(lambda handler: send(handler, CONTENT))
    assert download(url, target, sha256=SHA256) == target
    assert target.read_bytes() == CONTENT
    assert list(target.parent.iterdir()) == [target]


def test_file_is_kept_as_stored_whatever_coding_the_server_declares(served, target):
    url = served(lambda handler: send(handler, CONTENT, Content_Encoding="gzip"))
    download(url, target, sha256=SHA256)
    assert target.read_bytes() == CONTENT


def test_file_without_an_announced_length_arrives(served, target):
    def answer(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(CONTENT)

    download(served(answer), target, sha256=SHA256)
    assert target.read_bytes() == CONTENT


def test_redirect_to_https_is_followed(served, target):
    def answer(handler):
        if handler.path == "/moved":
            send(handler, CONTENT)
        else:
            send(handler, b"elsewhere", status=302, Location="/moved")

    assert download(served(answer), target, sha256=SHA256).read_bytes() == CONTENT


def test_redirect_to_http_is_refused(served, target):
    plain = "http://127.0.0.1:1/file"
    url = served(lambda handler: send(handler, b"", status=302, Location=plain))
    assert_fails(url, target, f"it leads on to {plain}, which is not https://")


@pytest.mark.parametrize("url", ["http://127.0.0.1/file", "ftp://127.0.0.1/file", "/etc/hostname"])
def test_other_schemes_are_refused(url, target):
    with pytest.raises(ValueError, match="url must start with https://; got"):
        download(url, target)
    assert not target.parent.exists()


@pytest.mark.parametrize("value", ["", "0", "false", "No"])
def test_offline_may_be_switched_off(served, target, monkeypatch, value):
    monkeypatch.setenv("SKCIFAR_OFFLINE", value)
    url = served(lambda handler: send(handler, CONTENT))
    assert download(url, target, sha256=SHA256).read_bytes() == CONTENT


def test_traceback_of_a_failed_download_is_short(served, target):
    url = served(lambda handler: send(handler, b"", status=404))
    with pytest.raises(OSError, match="404") as caught:
        download(url, target)
    assert len(traceback.format_exception(caught.value)) < 6


def test_error_of_a_failed_download_can_be_sent_to_another_process(served, target):
    """By Dask too, whose pickles hold the context of an error."""
    with pytest.raises(OSError, match="404") as caught:
        download(served(lambda handler: send(handler, b"", status=404)), target)
    assert caught.value.__context__ is None


def test_nothing_is_asked_for_offline(served, target, monkeypatch):
    monkeypatch.setenv("SKCIFAR_OFFLINE", "1")
    asked = []
    message = f"{target.name} is not in the folder .* SKCIFAR_OFFLINE forbids downloading it. Help."
    with pytest.raises(OSError, match=message):
        download(served(asked.append), target, advice="Help.")
    assert asked == []


def test_connection_that_breaks_off_is_tried_again(served, target):
    lengths = iter([1000, 200_000, len(CONTENT)])

    def answer(handler):
        send(handler, CONTENT[: next(lengths)], announced=len(CONTENT))

    download(served(answer), target, sha256=SHA256)
    assert target.read_bytes() == CONTENT


def test_connection_that_always_breaks_off_leaves_nothing(served, target):
    url = served(lambda handler: send(handler, CONTENT[:200_000], announced=len(CONTENT)))
    assert_fails(url, target, "no connection to 127.0.0.1, or it broke off")


def test_server_error_is_tried_again(served, target):
    status = iter([503, 200])
    url = served(lambda handler: send(handler, CONTENT, status=next(status)))
    assert download(url, target, sha256=SHA256).read_bytes() == CONTENT


def test_missing_file_is_asked_for_once(served, target):
    requests = []

    def answer(handler):
        requests.append(handler.path)
        send(handler, b"", status=404)

    assert_fails(served(answer), target, "127.0.0.1 answered 404 Not Found")
    assert requests == ["/file"]


def test_wrong_checksum_leaves_nothing(served, target):
    url = served(lambda handler: send(handler, CONTENT + b"!"))
    assert_fails(url, target, f"its SHA-256 is [0-9a-f]+, expected {SHA256}", sha256=SHA256)


def test_wrong_signature_leaves_nothing(served, target):
    url = served(lambda handler: send(handler, b"<html>No.</html>"))
    assert_fails(
        url, target, "it begins with b'<html>No', expected", signature=b"\x89HDF\r\n\x1a\n"
    )


def test_untrusted_certificate_is_refused(served, target, monkeypatch):
    url = served(lambda handler: send(handler, CONTENT))
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    assert_fails(url, target, "the certificate of 127.0.0.1 could not be verified")


def test_refused_connection_fails_at_once(served, target):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{unused.getsockname()[1]}/file"
        began = time.monotonic()
        assert_fails(url, target, "no connection to 127.0.0.1")
    assert time.monotonic() - began < downloads._PATIENCE


def test_unknown_host_is_one_clear_error(target, monkeypatch):
    monkeypatch.setattr(downloads, "_PAUSE", 0.01)
    monkeypatch.setattr(socket, "getaddrinfo", _raise_unknown_host)
    assert_fails("https://nowhere.invalid/file", target, "no connection to nowhere.invalid")


def _raise_unknown_host(*args, **kwargs):
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_silent_name_server_is_given_up(hang, target, monkeypatch):
    monkeypatch.setattr(downloads, "_PATIENCE", 0.5)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: hang.wait(60) and [])
    assert_fails("https://nowhere.invalid/file", target, _SILENT)


def test_server_that_hangs_is_given_up(served, hang, target, monkeypatch):
    monkeypatch.setattr(downloads, "_PATIENCE", 0.5)
    url = served(lambda handler: hang.wait(60))
    assert_fails(url, target, _SILENT)


def test_server_that_trickles_is_given_up(served, hang, target, monkeypatch):
    monkeypatch.setattr(downloads, "_PATIENCE", 0.5)

    def answer(handler):
        send(handler, b"", announced=len(CONTENT))
        while not hang.wait(0.05):
            handler.wfile.write(b"x")

    assert_fails(served(answer), target, _SILENT)


class SteadyTransfer:
    """A transfer of so many bytes a second, by a clock of its own."""

    url, expected, n_bytes = "https://127.0.0.1/file", None, 1_000_000

    def __init__(self, bytes_a_second):
        self.bytes_a_second, self.seconds = bytes_a_second, 0.0

    @property
    def received(self):
        return int(self.seconds * self.bytes_a_second)

    def is_alive(self):
        return self.received < self.n_bytes

    def join(self, seconds):
        self.seconds += seconds


def test_slow_but_steady_server_is_waited_for(monkeypatch):
    least = downloads._LEAST_BYTES / downloads._PATIENCE
    for bytes_a_second, may_last in ((1.2 * least, True), (0.8 * least, False)):
        transfer = SteadyTransfer(bytes_a_second)
        monkeypatch.setattr(downloads.time, "monotonic", lambda transfer=transfer: transfer.seconds)
        with nullcontext() if may_last else pytest.raises(TimeoutError, match="almost nothing"):
            for _ in downloads._watch(transfer):
                pass
        assert transfer.is_alive() != may_last


def test_errors_come_within_30_seconds():
    assert downloads._PATIENCE <= 25  # the tests above show that nothing outlasts it


def test_interrupted_download_leaves_nothing(served, target, monkeypatch):
    def interrupt(transfer):
        raise KeyboardInterrupt

    monkeypatch.setattr(downloads, "_watch", interrupt)
    with pytest.raises(KeyboardInterrupt):
        download(served(lambda handler: send(handler, CONTENT)), target)
    assert list(target.parent.iterdir()) == []


def test_folder_that_cannot_be_made_is_one_clear_error(served, tmp_path):
    (tmp_path / "folder").write_text("a regular file")
    url = served(lambda handler: send(handler, CONTENT))
    with pytest.raises(OSError, match=r"weights\.h5 is not in the folder .*exists.* Use"):
        download(url, tmp_path / "folder" / "weights.h5", advice="Use weights=None.")


def test_disk_that_takes_no_more_leaves_nothing(served, target):
    resource = pytest.importorskip("resource")
    url = served(lambda handler: send(handler, CONTENT))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
    try:
        assert_fails(url, target, "File too large")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_download_leaves_nothing_that_passes_for_the_file(served, hang, target):
    whole = threading.Event()

    def answer(handler):
        if whole.is_set():
            return send(handler, CONTENT)
        send(handler, CONTENT[:200_000], announced=len(CONTENT))
        hang.wait(60)

    url = served(answer)
    child = _start_download(url, target)
    _wait_until(lambda: any(part.stat().st_size for part in target.parent.glob(".*.part")))
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    hang.set()
    assert not target.exists()

    whole.set()
    (left,) = target.parent.iterdir()
    os.utime(left, (0, 0))  # killed long ago
    download(url, target, sha256=SHA256)
    assert list(target.parent.iterdir()) == [target]


def test_what_another_process_is_downloading_now_is_left_alone(served, target):
    target.parent.mkdir()
    other = target.parent / ".skcifar-0123abcd.part"
    other.write_bytes(b"arriving")
    download(served(lambda handler: send(handler, CONTENT)), target)
    assert other.read_bytes() == b"arriving"


def _start_download(url, target):
    code = "import sys; from skcifar._system.downloads import download; download(*sys.argv[1:])"
    return subprocess.Popen([sys.executable, "-c", code, url, target], stderr=subprocess.DEVNULL)


def _wait_until(true, seconds=120):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
