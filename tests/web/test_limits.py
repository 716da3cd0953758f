"""How many connections, how long, how large: nobody takes the server from the others."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

import pytest

from edgecls.web.clients import network_of
from edgecls.web.limits import Limits
from tests.support.broker import wait_until
from tests.support.patience import patience
from tests.support.web import (
    connect,
    fetch,
    half_open,
    is_closed,
    read_reply,
    seconds_for,
    status_of,
    strangers,
    talk,
)
from tests.web.conftest import House

OpenHouse = Callable[..., House]
GUESS: Final = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + b"x" * 43 + b"\r\n\r\n"
)
QUICK: Final = Limits(head_s=0.5, body_s=0.5, idle_s=0.5, stuck_s=0.5, linger_s=0.3)


class TestLimits:
    @pytest.mark.fault(85)
    def test_300_half_open_connections_take_no_thread_and_the_page_still_comes(
        self, house: House
    ) -> None:
        threads = threading.active_count()
        with half_open(house.port, 300):
            assert seconds_for(house.port) < patience(0.2)
            assert threading.active_count() <= threads

    @pytest.mark.fault(85)
    def test_beyond_the_cap_who_was_silent_longest_goes_and_who_looks_stays(
        self, open_house: OpenHouse
    ) -> None:
        house = open_house(Limits(connections_of_one=8))
        with connect(house.port) as viewer:
            viewer.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"200 OK" in viewer.recv(4096)
            with half_open(house.port, 20) as clients:
                assert is_closed(clients[0])
                assert fetch(house.port).status == 200
            house.events.send("still", {})
            got = b""
            while b"still" not in got:
                got += viewer.recv(4096)

    @pytest.mark.fault(85)
    def test_half_a_request_is_given_up_after_a_while(self, open_house: OpenHouse) -> None:
        house = open_house(QUICK)
        with half_open(house.port, 1) as clients:
            assert status_of(read_reply(clients[0])) == 408
            assert is_closed(clients[0])

    @pytest.mark.fault(85)
    def test_so_is_half_a_body(self, open_house: OpenHouse) -> None:
        house = open_house(QUICK)
        reply = talk(
            house.port,
            b"POST /keep HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
            b"Content-Length: 10\r\n\r\n{",
        )
        assert status_of(reply) == 408
        assert house.kept == []

    def test_a_connection_that_asks_no_more_is_closed(self, open_house: OpenHouse) -> None:
        house = open_house(QUICK)
        with connect(house.port) as client:
            client.sendall(b"GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert status_of(read_reply(client)) == 200
            assert is_closed(client)

    def test_more_viewers_than_can_be_served_are_told_so(self, open_house: OpenHouse) -> None:
        house = open_house(Limits(viewers=2))
        viewers = [connect(house.port) for _ in range(2)]
        for viewer in viewers:
            viewer.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_until(lambda: house.events.viewers == 2, "both look")
        assert fetch(house.port, "/picture").status == 503
        for viewer in viewers:
            viewer.close()

    def test_no_more_files_to_open_costs_no_core_and_is_over_when_some_are_closed(self) -> None:
        script = (
            "import resource, sys, time\n"
            "from edgecls.web import Listen, WebApp, WebServer, open_access\n"
            "server = WebServer(WebApp('test'), open_access(Listen('127.0.0.1', 0))).start()\n"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))\n"
            "print(server.port, flush=True)\n"
            "sys.stdin.readline()\n"
            "print(time.process_time())\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            with half_open(port, 40):
                time.sleep(1.5)
            assert fetch(port, "/style.css").status == 200
            out, _ = process.communicate("\n", timeout=patience(10.0))
        assert float(out) < 1.0  # its start included

    @pytest.mark.fault(121)
    def test_wrong_tokens_from_many_addresses_keep_out_nobody_who_has_the_right_one(
        self, open_house: OpenHouse
    ) -> None:
        house = open_house(Limits(connections=40), has_token=True)
        bearer = f"Bearer {house.token_file.read_text().strip()}"
        with strangers(house.port, GUESS, count=20, addresses=10):
            answers = [fetch(house.port, "/echo", Authorization=bearer).status for _ in range(20)]
        assert answers == [200] * 20

    @pytest.mark.fault(121)
    @pytest.mark.parametrize(
        "said",
        [
            pytest.param(
                b"GET /style.css HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50, id="take nothing"
            ),
            pytest.param(b"GET / HTTP/1.1\r\nHost: local", id="say half"),
            pytest.param(b"", id="say nothing"),
            pytest.param(
                b"POST /login HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
                b"Content-Length: 999\r\n\r\ntoken=",
                id="say half a token",
            ),
        ],
    )
    def test_nor_do_strangers_who(self, open_house: OpenHouse, said: bytes) -> None:
        house = open_house(Limits(connections=40), has_token=True)
        bearer = f"Bearer {house.token_file.read_text().strip()}"
        with strangers(house.port, said, count=20, addresses=10):
            assert fetch(house.port, "/echo", Authorization=bearer).status == 200

    @pytest.mark.fault(122)
    def test_who_has_shown_the_token_stays_whatever_strangers_do(
        self, open_house: OpenHouse
    ) -> None:
        house = open_house(Limits(connections=40), has_token=True)
        bearer = f"Authorization: Bearer {house.token_file.read_text().strip()}\r\n\r\n"
        with connect(house.port) as client:
            for _ in range(3):
                client.sendall(b"GET /echo HTTP/1.1\r\nHost: localhost\r\n" + bearer.encode())
                assert status_of(read_reply(client)) == 200
                with strangers(house.port, GUESS, count=20, addresses=10):
                    assert fetch(house.port, "/login").status == 200

    @pytest.mark.fault(122)
    def test_a_newcomer_does_not_go_for_those_who_have_many(self, open_house: OpenHouse) -> None:
        house = open_house(Limits(connections=40), has_token=True)
        many = strangers(house.port, b"", count=20, addresses=5)
        with connect(house.port) as newcomer, many:
            newcomer.sendall(b"GET /login HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert status_of(read_reply(newcomer)) == 200

    @pytest.mark.fault(122)
    @pytest.mark.parametrize(
        ("peer", "network"),
        [
            ("192.168.1.5", "192.168.1.5"),
            ("::ffff:192.168.1.5", "192.168.1.5"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("fe80::1%eth0", "fe80::/64"),
        ],
    )
    def test_whoever_has_many_addresses_of_ipv6_is_one(self, peer: str, network: str) -> None:
        assert network_of(peer) == network

    @pytest.mark.fault(123)
    def test_log_ins_that_fail_keep_no_worker_from_others(self, open_house: OpenHouse) -> None:
        house = open_house(Limits(workers=1, waiting=1), has_token=True)
        bearer = f"Bearer {house.token_file.read_text().strip()}"
        form = (
            b"POST /login HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n\r\ntoken=x"
        )
        with strangers(house.port, form, count=30, addresses=8):
            answers = [fetch(house.port, "/echo", Authorization=bearer).status for _ in range(20)]
        assert answers == [200] * 20

    def test_the_end_of_the_server_ends_all_connections(self, house: House) -> None:
        with connect(house.port) as client:
            client.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wait_until(lambda: house.events.is_watched, "it looks")
            house.events.send("bye", {})
            house.server.close()
            house.server.close()
            got = b""
            while more := client.recv(4096):
                got += more
        assert b"event: bye" in got
        assert not house.events.is_watched
