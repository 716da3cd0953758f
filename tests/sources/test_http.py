"""MJPEG over HTTP: what is read, how it is refused, and how soon a loss is noticed."""

from __future__ import annotations

import base64
import gc
import hashlib
import re
import socket
import ssl
import subprocess
import threading
import time
import weakref
from pathlib import Path

import pytest

from edgecls.errors import PictureError, SourceError
from edgecls.sources import CapturedFrame, SourceWishes, open_source
from tests.support.mjpeg_server import (
    BLUE,
    HEAD,
    RED,
    MjpegServer,
    answer,
    endless,
    part,
    then_silence,
)
from tests.support.patience import patience

SOON = SourceWishes(timeout_s=0.5)


def read(url: str, count: int = 1, wishes: SourceWishes = SOON) -> list[bytes]:
    with open_source(url, wishes) as source:
        frames = [source.read() for _ in range(count)]
    return [frame.jpeg for frame in frames if frame is not None]


def answered(status: str, *fields: str, body: bytes = b"") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""]).encode() + body


class TestStreams:
    def test_pictures_come_as_the_camera_sent_them(self) -> None:
        with MjpegServer(answer(HEAD, part(RED), part(BLUE))) as server:
            assert read(server.url(), 2) == [RED, BLUE]

    def test_frames_are_not_decoded(self) -> None:
        with MjpegServer(endless()) as server, open_source(server.url(), SOON) as source:
            first, second = source.read(), source.read()
        assert isinstance(first, CapturedFrame)
        assert isinstance(second, CapturedFrame)
        assert (first.pixels, first.index, second.index) == (None, 0, 1)
        assert first.captured_s < second.captured_s

    def test_the_request_is_for_path_and_query_at_the_host(self) -> None:
        with MjpegServer(endless()) as server:
            read(server.url("/?action=stream"))
            request = server.requests[0]
        assert request.startswith(b"GET /?action=stream HTTP/1.1\r\n")
        assert b"\r\nHost: 127.0.0.1:%d\r\n" % server.port in request

    @pytest.mark.parametrize("size", [1, 100, 100_000], ids="chunks of {}".format)
    def test_chunks_are_put_together(self, size: int) -> None:
        body = part(RED) + part(BLUE)
        chunks = b"".join(
            b"%x;a=b\r\n%s\r\n" % (len(body[at : at + size]), body[at : at + size])
            for at in range(0, len(body), size)
        )
        head = answered(
            "200 OK",
            "Content-Type: multipart/x-mixed-replace;boundary=frame",
            "Transfer-Encoding: chunked",
        )
        with MjpegServer(answer(head, chunks, b"0\r\n\r\n")) as server:
            assert read(server.url(), 2) == [RED, BLUE]

    @pytest.mark.parametrize(
        "field",
        [
            pytest.param('multipart/x-mixed-replace; boundary="frame"', id="quoted"),
            pytest.param("multipart/x-mixed-replace;boundary=--frame", id="with dashes"),
            pytest.param("Multipart/X-Mixed-Replace; BOUNDARY=frame; a=b", id="in capitals"),
            pytest.param("multipart/x-mixed-replace", id="missing"),
        ],
    )
    def test_the_boundary_may_be(self, field: str) -> None:
        head = answered("200 OK", f"Content-Type: {field}", "Content-Length: 0")
        with MjpegServer(answer(head, part(RED), part(BLUE))) as server:
            assert read(server.url(), 2) == [RED, BLUE]

    @pytest.mark.fault(149)
    @pytest.mark.parametrize(
        ("fields", "body"),
        [
            pytest.param(
                ["Content-Type: multipart/x-mixed-replace; boundary=other"],
                part(RED) + part(BLUE),
                id="between other boundaries",
            ),
            pytest.param([], part(RED) + part(BLUE), id="of no stated type"),
            pytest.param([], RED + BLUE, id="of no stated type, without boundaries"),
            pytest.param(
                ["Content-Type: application/octet-stream"], part(RED) + part(BLUE), id="of bytes"
            ),
            pytest.param(
                ["Content-Type: image/jpeg"], RED + BLUE, id="behind each other as one picture"
            ),
            pytest.param(["Content-Type: video/x-motion-jpeg"], RED + BLUE, id="as a film"),
        ],
    )
    def test_pictures_are_found_that_come(self, fields: list[str], body: bytes) -> None:
        with MjpegServer(then_silence(answered("200 OK", *fields), body)) as server:
            assert read(server.url(), 2) == [RED, BLUE]
            assert len(server.requests) == 1

    @pytest.mark.fault(149)
    def test_bytes_that_hold_no_picture_are_refused_soon(self) -> None:
        head = answered("200 OK", "Content-Type: application/octet-stream")
        with (
            MjpegServer(answer(head, bytes(1 << 20))) as server,
            pytest.raises(SourceError, match="that is application/octet-stream, not MJPEG"),
        ):
            open_source(server.url(), SOON)

    @pytest.mark.fault(145)
    @pytest.mark.parametrize("size", [b"-1", b"1_0", b"0x10", b"+10", b"", b"f" * 16, b"\xb2"])
    def test_a_chunk_is_damaged_whose_size_is(self, size: bytes) -> None:
        head = answered("200 OK", "Content-Type: image/jpeg", "Transfer-Encoding: chunked")
        with (
            MjpegServer(answer(head, size + b"\r\n" + RED)) as server,
            open_source(server.url(), SOON) as source,
            pytest.raises(SourceError, match="the camera's chunks are damaged"),
        ):
            source.read()

    @pytest.mark.fault(54)
    def test_a_cut_off_picture_is_one_error_and_the_next_is_read(self) -> None:
        broken = part(RED[:-20], has_length=False)
        with (
            MjpegServer(answer(HEAD, broken, part(BLUE))) as server,
            open_source(server.url(), SOON) as source,
        ):
            with pytest.raises(PictureError, match="cut off"):
                source.read()
            frame = source.read()
        assert frame is not None
        assert frame.jpeg == BLUE

    def test_https_needs_a_certificate_that_is_trusted(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key, certificate = tmp_path / "key.pem", tmp_path / "camera.pem"
        try:
            subprocess.run(
                [
                    *("openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"),
                    *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost"),
                    *("-addext", "subjectAltName=IP:127.0.0.1"),
                    *("-keyout", key, "-out", certificate),
                ],
                check=True,
                capture_output=True,
            )
        except FileNotFoundError:
            pytest.skip("openssl is not installed, which makes the certificate")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)

        def send(client: socket.socket) -> None:
            with context.wrap_socket(client, server_side=True) as secure:
                secure.recv(4096)
                secure.sendall(HEAD + part(RED))

        with socket.create_server(("127.0.0.1", 0)) as listening:

            def serve() -> None:
                for _ in range(2):
                    client, _ = listening.accept()
                    try:
                        send(client)
                    except OSError:
                        client.close()

            threading.Thread(target=serve, daemon=True).start()
            url = f"https://127.0.0.1:{listening.getsockname()[1]}/"
            with pytest.raises(SourceError, match="its certificate is not trusted") as refused:
                open_source(url, SourceWishes(timeout_s=10))
            assert "SSL_CERT_FILE" in refused.value.hint
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            assert read(url, wishes=SourceWishes(timeout_s=10)) == [RED]


class TestSnapshots:
    def test_a_picture_is_asked_for_again_and_again(self) -> None:
        head = answered("200 OK", "Content-Type: image/jpeg", f"Content-Length: {len(RED)}")
        with MjpegServer(answer(head, RED, b"more"), answer(head, RED)) as server:
            wishes = SourceWishes(fps=100, timeout_s=0.5)
            assert read(server.url("/capture"), 3, wishes) == [RED, RED, RED]
            assert len(server.requests) == 3

    @pytest.mark.fault(149)
    def test_one_without_a_length_is_asked_for_again_and_a_broken_one_is_told(self) -> None:
        head = answered("200 OK", "Content-Type: image/jpeg")
        answers = (answer(head, RED), answer(head, BLUE[:-30]), answer(head, BLUE))
        with (
            MjpegServer(*answers) as server,
            open_source(server.url(), SourceWishes(fps=100, timeout_s=0.5)) as source,
        ):
            source.read()
            with pytest.raises(PictureError, match="cut off"):
                source.read()
            frame = source.read()
        assert frame is not None
        assert frame.jpeg == BLUE

    def test_it_is_asked_for_no_more_often_than_wished(self) -> None:
        head = answered("200 OK", "Content-Type: image/jpeg")
        with MjpegServer(answer(head, RED)) as server:
            started = time.monotonic()
            read(server.url(), 3, SourceWishes(fps=10, timeout_s=0.5))
            assert time.monotonic() - started >= 0.2

    @pytest.mark.fault(54)
    def test_a_picture_that_is_cut_off_is_an_error_of_that_picture(self) -> None:
        head = answered("200 OK", "Content-Type: image/jpeg", f"Content-Length: {len(RED)}")
        with (
            MjpegServer(answer(head, RED[:-30]), answer(head, RED)) as server,
            open_source(server.url(), SourceWishes(fps=100, timeout_s=0.5)) as source,
        ):
            with pytest.raises(PictureError, match="cut off"):
                source.read()
            frame = source.read()
        assert frame is not None
        assert frame.jpeg == RED


class TestLosses:
    """A source that is lost says so within its timeout; the loop opens it again."""

    @pytest.mark.parametrize(
        "send",
        [
            pytest.param(then_silence(HEAD, part(RED)), id="stalls"),
            pytest.param(then_silence(HEAD, part(RED), part(BLUE)[:-99]), id="stalls in a picture"),
        ],
    )
    @pytest.mark.fault(45)
    def test_a_camera_that(self, send: object) -> None:
        with MjpegServer(send) as server, open_source(server.url(), SOON) as source:  # type: ignore[arg-type]
            source.read()
            started = time.monotonic()
            with pytest.raises(SourceError, match=r"no picture for 0\.3 s"):
                source.read()
            assert time.monotonic() - started < patience(0.5)

    @pytest.mark.parametrize(
        "begin", [pytest.param(b"", id="head"), pytest.param(HEAD, id="stream")]
    )
    @pytest.mark.fault(44)
    @pytest.mark.fault(46)
    def test_one_byte_at_a_time_is_a_stall_too_in_the(self, begin: bytes) -> None:
        def drip(client: socket.socket, _request: bytes) -> None:
            client.sendall(begin)
            while True:
                client.sendall(b"H")
                time.sleep(0.05)

        with MjpegServer(drip) as server:
            started = time.monotonic()
            with pytest.raises(SourceError, match="no picture for"):
                read(server.url())
            assert time.monotonic() - started < patience(1.2)  # opening and reading have 0.3 each

    @pytest.mark.fault(53)
    def test_a_camera_that_takes_no_connection(self) -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            # The kernel takes as many as fit into its queue, and lets the others wait.
            waiting = [socket.socket() for _ in range(4)]
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(full.getsockname())
            with pytest.raises(SourceError, match=r"no picture for 0\.3 s"):
                open_source(f"http://127.0.0.1:{full.getsockname()[1]}/", SOON)
            for one in waiting:
                one.close()

    @pytest.mark.fault(47)
    def test_a_camera_that_hangs_up_in_a_picture(self) -> None:
        with MjpegServer(answer(HEAD, part(RED), part(BLUE)[:-99])) as server:
            source = open_source(server.url(), SourceWishes(timeout_s=60))
            source.read()
            with pytest.raises(SourceError, match="the camera ended the stream"):
                source.read()
            source.close()

    @pytest.mark.fault(48)
    def test_a_connection_that_is_reset(self) -> None:
        def reset(client: socket.socket, _request: bytes) -> None:
            client.sendall(HEAD + part(RED))
            time.sleep(0.1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

        with MjpegServer(reset) as server:
            source = open_source(server.url(), SourceWishes(timeout_s=60))
            source.read()
            with pytest.raises(SourceError, match="Connection reset"):
                source.read()
            source.close()

    def test_a_port_where_nobody_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            port = gone.getsockname()[1]
        with pytest.raises(SourceError, match="Connection refused") as refused:
            open_source(f"http://127.0.0.1:{port}/", SOON)
        assert "is that its port?" in refused.value.hint

    @pytest.mark.fault(52)
    def test_a_name_that_nobody_knows(self) -> None:
        with pytest.raises(SourceError, match=r"the name 'no-such-camera\.invalid' is not known"):
            open_source("http://no-such-camera.invalid/", SourceWishes(timeout_s=1))


@pytest.mark.fault(48)
def test_nothing_is_left_of_a_closed_source_for_the_garbage_collector() -> None:
    gc.disable()
    try:
        with MjpegServer(endless()) as server:
            source = open_source(server.url(), SOON)
            source.read()
            gone = weakref.ref(source)
            source.close()
            with pytest.raises(SourceError, match="it was closed"):
                source.read()
            del source
        assert gone() is None
    finally:
        gc.enable()


class TestRefusals:
    @pytest.mark.parametrize(
        ("sent", "problem", "hint"),
        [
            pytest.param(
                answered("401 Unauthorized", 'WWW-Authenticate: Basic realm="cam"'),
                "the camera wants a user and a password (401)",
                "EDGECLS_SOURCE_PASSWORD",
                id="a password is missing",
            ),
            pytest.param(
                answered("403 Forbidden"),
                "the camera refuses us (403 Forbidden)",
                "what this user may see",
                id="forbidden",
            ),
            pytest.param(
                answered("404 Not Found"),
                "the camera has nothing at this address (404)",
                ":81/stream (ESP32-CAM)",
                id="no such path",
            ),
            pytest.param(
                answered("503 Service Unavailable"),
                "the camera answers 503 Service Unavailable",
                "one viewer at a time",
                id="busy",
            ),
            pytest.param(
                answered("200 OK", "Content-Type: text/html; charset=utf-8", body=b"<html>"),
                "that is a web page, not a stream of pictures",
                "/?action=stream (mjpg-streamer)",
                id="a web page",
            ),
            pytest.param(
                answered("200 OK", "Content-Type: video/mp4"),
                "that is video/mp4, not MJPEG or a JPEG picture",
                ":8081 (motion)",
                id="another kind of stream",
            ),
            pytest.param(
                answered("200 OK"), "that is of no stated type", "(motion)", id="no type at all"
            ),
            pytest.param(
                b"RTSP/1.0 400 Bad Request\r\n\r\n",
                "the camera does not answer in HTTP",
                "try rtsp://",
                id="another protocol",
            ),
            pytest.param(b"", "the camera closed the connection", "", id="nothing"),
            pytest.param(
                b"HTTP/1.1 200 OK\r\nA: " + b"b" * 40_000,
                "a line of over 16384 bytes",
                "",
                id="a line without an end",
            ),
            pytest.param(
                b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000,
                "a header of over 32768 bytes",
                "",
                id="a header without an end",
            ),
            pytest.param(
                answered("302 Found", "Location: file:///etc/passwd"),
                "'file:///etc/passwd' is not the address of a camera: wanted http or https",
                "",
                id="a redirect to a file",
            ),
            pytest.param(
                answered("302 Found", "Location: http://[::1/"),
                "the camera sends us on: 'http://[::1/' is not the address of a camera",
                "in a browser",
                id="a redirect to half an address",
                marks=pytest.mark.fault(144),
            ),
            pytest.param(
                answered("-1 Odd"), "does not answer in HTTP", "", id="a status that is none"
            ),
            pytest.param(
                answered("302 Found", "Location: /stream"),
                "sends us on more than 5 times",
                "in a browser",
                id="a redirect to itself",
            ),
        ],
    )
    @pytest.mark.fault(49)
    @pytest.mark.fault(50)
    @pytest.mark.fault(51)
    def test_an_answer_that_is_no_camera(self, sent: bytes, problem: str, hint: str) -> None:
        with MjpegServer(answer(sent)) as server:
            with pytest.raises(SourceError, match=re.escape(problem)) as refused:
                open_source(server.url(), SourceWishes(timeout_s=10))
            assert refused.value.problem.startswith(f"{server.url()}: ")
            assert hint in refused.value.hint

    def test_redirects_are_followed(self) -> None:
        with (
            MjpegServer(endless()) as camera,
            MjpegServer(
                answer(answered("302 Found", "Location: /b")),
                answer(answered("307 Temporary", f"Location: {camera.url('/c')}")),
            ) as first,
        ):
            assert read(first.url("/a")) == [RED]
            assert first.requests[1].startswith(b"GET /b ")
            assert camera.requests[0].startswith(b"GET /c ")


class TestPasswords:
    BASIC = answered("401 Unauthorized", 'WWW-Authenticate: Basic realm="cam"')

    def test_a_password_is_sent_when_it_is_asked_for(self) -> None:
        with MjpegServer(answer(self.BASIC), endless()) as server:
            assert read(server.url(login="me:p%40ss@")) == [RED]
            first, second = server.requests
        assert b"Authorization" not in first
        login = base64.b64encode(b"me:p@ss")
        assert b"\r\nAuthorization: Basic " + login + b"\r\n" in second

    def test_digest_proves_the_password_without_sending_it(self) -> None:
        challenge = answered(
            "401 Unauthorized",
            'WWW-Authenticate: Basic realm="cam"',
            'WWW-Authenticate: Digest realm="cam", nonce="abc", qop="auth", opaque="xyz"',
        )
        with MjpegServer(answer(challenge), endless()) as server:
            assert read(server.url("/v", login="me:hidden@")) == [RED]
            sent = server.requests[1].decode()
        fields = dict(re.findall(r'(\w+)="?([^",]+)"?', sent.split("Digest ")[1]))
        user = hashlib.md5(b"me:cam:hidden").hexdigest()
        what = hashlib.md5(b"GET:/v").hexdigest()
        proof = f"{user}:abc:00000001:{fields['cnonce']}:auth:{what}"
        assert fields["response"] == hashlib.md5(proof.encode()).hexdigest()
        assert (fields["uri"], fields["opaque"], fields["nc"]) == ("/v", "xyz", "00000001")
        assert "hidden" not in sent

    @pytest.mark.fault(145)
    @pytest.mark.parametrize(
        ("challenges", "named"),
        [
            pytest.param(["Negotiate", "NTLM"], "Negotiate, NTLM", id="as Windows does"),
            pytest.param(['Digest realm="x", nonce="y", qop="auth-int"'], "Digest", id="auth-int"),
            pytest.param(['Digest realm="x", algorithm=ROT13'], "Digest", id="a made-up hash"),
            pytest.param([], "it does not say which", id="not at all"),
        ],
    )
    def test_a_login_that_is_not_known_is_told_as_that(
        self, challenges: list[str], named: str
    ) -> None:
        fields = [f"WWW-Authenticate: {challenge}" for challenge in challenges]
        with (
            MjpegServer(answer(answered("401 Unauthorized", *fields))) as server,
            pytest.raises(SourceError, match=rf"not known here \(401\): {named}\n") as refused,
        ):
            open_source(server.url(login="me:hidden@"), SOON)
        assert "Basic or Digest" in refused.value.hint

    @pytest.mark.fault(145)
    @pytest.mark.parametrize("challenge", ["Basic realm=x", 'Digest realm="\\"\xff", nonce="n"'])
    def test_user_and_password_may_have_any_letters(self, challenge: str) -> None:
        locked = f"HTTP/1.1 401 U\r\nWWW-Authenticate: {challenge}\r\n\r\n".encode("latin-1")
        with MjpegServer(answer(locked), endless()) as server:
            assert read(server.url(login="%E4%B8%AD%22%FF:%F0%9F%98%80%5C@")) == [RED]

    def test_a_wrong_password_is_tried_once(self) -> None:
        with MjpegServer(answer(self.BASIC)) as server:
            with pytest.raises(SourceError, match="refuses us") as refused:
                open_source(server.url(login="me:hidden@"), SOON)
            assert len(server.requests) == 2
        assert "hidden" not in str(refused.value)

    @pytest.mark.fault(61)
    def test_another_host_is_not_told_the_password(self) -> None:
        with MjpegServer(answer(self.BASIC)) as other:
            away = answered("302 Found", f"Location: http://localhost:{other.port}/")
            with (
                MjpegServer(answer(away)) as server,
                pytest.raises(SourceError, match="wants a user and a password"),
            ):
                open_source(server.url(login="me:hidden@"), SOON)
            assert b"Authorization" not in b"".join(other.requests)

    @pytest.mark.fault(140)
    def test_another_port_is_not_told_the_password_of_the_environment(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("EDGECLS_SOURCE_USER", "me")
        monkeypatch.setenv("EDGECLS_SOURCE_PASSWORD", "hidden")
        with MjpegServer(answer(self.BASIC)) as other:
            away = answered("302 Found", f"Location: http://x:y@127.0.0.1:{other.port}/")
            with (
                MjpegServer(answer(away)) as server,
                pytest.raises(SourceError, match="not told those of another host or port"),
            ):
                open_source(server.url(), SOON)
            assert b"Authorization" not in b"".join(other.requests)

    @pytest.mark.fault(61)
    def test_the_name_of_a_source_does_not_show_it(self) -> None:
        with (
            MjpegServer(answer(self.BASIC), endless()) as server,
            open_source(server.url("/?pwd=hidden", login="me:hidden@"), SOON) as source,
        ):
            assert source.name == server.url("/?pwd=***")
            assert "hidden" not in repr(source)
