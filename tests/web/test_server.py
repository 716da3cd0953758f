"""What the server serves, to whom, and what it does with those that are no browser."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from edgecls.errors import InvalidValueError
from edgecls.web import Channel, Listen, Reply, WebApp, WebServer, open_access
from edgecls.web.limits import Limits
from tests.support.patience import patience
from tests.support.web import (
    connect,
    fetch,
    is_closed,
    post,
    read_reply,
    status_of,
    talk,
)
from tests.web.conftest import House

OpenHouse = Callable[..., House]
QUICK: Final = Limits(head_s=0.5, body_s=0.5, idle_s=0.5, stuck_s=0.5, linger_s=0.3)


class TestApp:
    def test_a_page_and_the_shared_files_are_served(self, house: House) -> None:
        assert fetch(house.port).body == b"<!doctype html><title>home</title>"
        assert fetch(house.port, "/style.css").headers["content-type"] == "text/css; charset=utf-8"

    def test_a_handler_answers(self, house: House) -> None:
        assert fetch(house.port, "/echo?label=a%20b").body == b'{"label": "a b"}'

    def test_head_has_the_length_and_nothing_of_it(self, house: House) -> None:
        answer = fetch(house.port, "/echo?a=1", "HEAD")
        assert (answer.headers["content-length"], answer.body) == ("10", b"")

    def test_what_changes_something_is_a_post_of_json(self, house: House) -> None:
        assert post(house.port, "/keep", b'{"label": "cat"}').status == 200
        assert house.kept == [{"label": "cat"}]

    def test_another_way_to_ask_is_405_with_what_may_be_asked(self, house: House) -> None:
        answer = fetch(house.port, "/keep")
        assert (answer.status, answer.headers["allow"]) == (405, "POST")

    def test_what_a_handler_refuses_is_told_with_its_hint(self, house: House) -> None:
        answer = fetch(house.port, "/refuse")
        assert answer.status == 400
        assert answer.body == b'{"error": "the label is empty", "hint": "name it"}'

    def test_a_bug_of_a_handler_is_500_and_the_server_lives(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("EDGECLS_STRICT")
        answer = fetch(house.port, "/broken")
        assert (answer.status, b"division" in answer.body) == (500, False)
        assert "GET /broken failed: ZeroDivisionError" in house.told[0]
        assert fetch(house.port).status == 200

    def test_two_answers_for_one_path_are_an_error_at_the_start(self) -> None:
        app = WebApp("test")
        app.add("GET", "/a", lambda _: Reply())
        with pytest.raises(InvalidValueError, match="GET /a twice"):
            app.add_feed("/a", Channel())

    def test_one_connection_carries_many_requests(self, house: House) -> None:
        with connect(house.port) as client:
            for _ in range(3):
                client.sendall(b"GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert status_of(read_reply(client)) == 200

    def test_requests_that_come_at_once_are_answered_one_by_one(self, house: House) -> None:
        with connect(house.port) as client:
            client.sendall(b"GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n" * 500)
            got = b""
            while got.count(b"HTTP/1.1 200") < 500:
                got += client.recv(65536)
        assert got.endswith(b"{}")

    def test_a_slow_handler_holds_up_nobody_else(self, tmp_path: Path) -> None:
        app = WebApp("test", tmp_path)
        goes_on = threading.Event()

        def wait(_request: object) -> Reply:
            goes_on.wait(patience(10.0))
            return Reply()

        app.add("GET", "/slow", wait)
        with WebServer(app, open_access(Listen("127.0.0.1", 0))) as server:
            clients = [connect(server.port) for _ in range(8)]  # twice as many as there are workers
            for client in clients:
                client.sendall(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert fetch(server.port, "/style.css").status == 200
            goes_on.set()
            assert [status_of(read_reply(client)) for client in clients] == [200] * 8
            for client in clients:
                client.close()

    @pytest.mark.fault(104)
    def test_slow_handlers_hold_up_no_other_handler(self, tmp_path: Path) -> None:
        app = WebApp("test", tmp_path)
        goes_on = threading.Event()

        def wait(_request: object) -> Reply:
            goes_on.wait(patience(10.0))
            return Reply()

        app.add("GET", "/thumbnail", wait, is_slow=True)
        app.add("GET", "/state", lambda _: Reply.of_json({}))
        with WebServer(app, open_access(Listen("127.0.0.1", 0))) as server:
            clients = [connect(server.port) for _ in range(8)]
            for client in clients:
                client.sendall(b"GET /thumbnail HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert fetch(server.port, "/state").status == 200
            goes_on.set()
            for client in clients:
                client.close()


@pytest.mark.fault(88)
@pytest.mark.parametrize(
    "path",
    [
        "/secret.txt",
        "/../secret.txt",
        "/static/../secret.txt",
        "/%2e%2e/secret.txt",
        "/%2e%2e%2fsecret.txt",
        "/..%2fsecret.txt",
        "/%252e%252e/secret.txt",
        "/..%c0%afsecret.txt",
        "/..\\secret.txt",
        "//secret.txt",
        "///etc/passwd",
        "/etc/passwd",
        "http://localhost/etc/passwd",
        "file:///etc/passwd",
        "/index.html%00.txt",
        "/\x00",
        "/style.css/",
        "/./style.css",
        "/style.css;x",
        "secret.txt",
        "*",
    ],
)
def test_what_is_not_in_the_table_is_404(house: House, path: str) -> None:
    reply = talk(house.port, b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode("latin-1"))
    assert status_of(reply) == 404
    assert b"not to be served" not in reply


@pytest.mark.fault(88)
def test_a_link_in_the_folder_leads_nowhere_that_was_not_there_at_the_start(
    house: House, tmp_path: Path
) -> None:
    (tmp_path / "later.html").symlink_to("/etc/passwd")
    assert fetch(house.port, "/later.html").status == 404


@pytest.mark.fault(87)
class TestOddRequests:
    @pytest.mark.parametrize(
        ("content", "status"),
        [
            pytest.param(b"GET / HTTP/1.1\r\n\r\n", 400, id="no Host"),
            pytest.param(
                b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * (16 << 10) + b"\r\n\r\n",
                431,
                id="a header of 16 KiB",
            ),
            pytest.param(b"G" * (64 << 10), 431, id="a line without end"),
            pytest.param(
                b"POST /keep HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
                b"Content-Length: 999999999999\r\n\r\n",
                413,
                id="a huge Content-Length",
            ),
            pytest.param(
                b"POST /keep HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
                411,
                id="chunks",
            ),
            pytest.param(
                b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc",
                400,
                id="a GET with a body",
            ),
            pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400, id="TLS"),
            pytest.param(b"TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n", 403, id="TRACE"),
        ],
    )
    def test_they_are_refused_and_the_connection_ends(
        self, house: House, content: bytes, status: int
    ) -> None:
        with connect(house.port) as client:
            client.sendall(content)
            assert status_of(read_reply(client)) == status
            assert is_closed(client)
        assert fetch(house.port).status == 200

    def test_who_still_sends_after_a_refusal_gets_to_read_it(self, house: House) -> None:
        head = b"POST /keep HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n"
        assert status_of(talk(house.port, head + b"x" * 200_000)) == 403

    def test_no_body_is_read_of_who_may_not_come_in(self, house: House) -> None:
        head = b"POST /keep HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
        assert status_of(talk(house.port, head)) == 403  # at once, without the 100 bytes

    def test_nobody_slips_in_behind_a_refused_body(self, house: House) -> None:
        inner = b"GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n"
        head = b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
        with connect(house.port) as client:
            client.sendall(head + b"Content-Length: %d\r\n\r\n" % len(inner) + inner)
            assert status_of(read_reply(client)) == 404
            assert client.recv(1000) == b""

    def test_any_bytes_get_an_answer_or_an_end_and_never_a_fault_of_ours(
        self, open_house: OpenHouse
    ) -> None:
        house = open_house(QUICK)
        whole = b"POST /keep?a=b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"
        for position in range(0, len(whole), 2):
            for odd in (b"\x00", b"\r", b"\n", b"\xff", b" ", b":", b"%"):
                with connect(house.port) as client:
                    client.sendall(whole[:position] + odd + whole[position + 1 :])
        assert fetch(house.port).status == 200
        assert house.told == []
