"""Who may look: the board's own names, its own pages, and whoever has the token."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from edgecls.errors import InvalidValueError
from edgecls.web import Access, Listen, Request, open_access
from edgecls.web.listen import own_names
from edgecls.web.token import Token

SECRET: Final = "s" * 43


def token() -> Token:
    return Token(SECRET, Path("token"))


def status(access: Access, method: str = "GET", path: str = "/", **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = Request(method, path, {"host": "localhost", **named}, local="192.168.1.5")
    refusal = access.refuse(request)
    return 200 if refusal is None else refusal.status


LOCAL: Final = Access(Listen(), frozenset(("board", "board.local")))
GUARDED: Final = Access(Listen(), frozenset(), token())


class TestHost:
    @pytest.mark.parametrize(
        "host",
        [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1:8080",
            "[::1]:8080",
            "board:80",
            "board.local.",
            "192.168.1.5:8080",
        ],
    )
    def test_the_boards_own_names_are_let_in(self, host: str) -> None:
        assert status(LOCAL, host=host) == 200

    @pytest.mark.fault(89)
    @pytest.mark.parametrize(
        "host",
        [
            pytest.param("evil.example", id="a name that was made to point here"),
            pytest.param("evil.example:8080", id="with a port"),
            pytest.param("localhost.evil.example", id="that begins like ours"),
            pytest.param("board.local.evil.example", id="that begins like the board's"),
            pytest.param("evil.example#localhost", id="with ours behind a sign"),
            pytest.param("localhost@evil.example", id="with ours as the user"),
            pytest.param("192.168.1.6", id="the address of another machine"),
            pytest.param("0x7f.1", id="loopback in an odd form"),
            pytest.param("127.0.0.1:80:80", id="two ports"),
            pytest.param("[::1", id="half an address"),
            pytest.param("localhost localhost", id="two names"),
        ],
    )
    def test_any_other_is_not_even_on_loopback(self, host: str) -> None:
        assert status(LOCAL, host=host) == 403

    def test_a_further_name_can_be_given(self) -> None:
        assert status(open_access(Listen(), ["Cam.Example"]), host="cam.example") == 200

    def test_a_name_that_is_an_address_is_an_error_at_the_start(self) -> None:
        with pytest.raises(InvalidValueError, match="is no host name"):
            open_access(Listen(), ["http://cam.example"])

    def test_the_machine_knows_its_own_names(self) -> None:
        names = own_names()
        assert os.uname().nodename.lower() in names
        assert names[-1].endswith(".local")


class TestOrigin:
    def test_a_page_of_the_board_may_change_things(self) -> None:
        assert status(LOCAL, "POST", origin="http://localhost", sec_fetch_site="same-origin") == 200

    def test_a_page_behind_a_proxy_with_a_certificate_may_too(self) -> None:
        assert status(LOCAL, "POST", origin="https://localhost") == 200

    @pytest.mark.fault(89)
    @pytest.mark.parametrize(
        "headers",
        [
            pytest.param({}, id="who does not say where it comes from"),
            pytest.param({"origin": "http://evil.example"}, id="another site"),
            pytest.param({"origin": "null"}, id="a page without an origin"),
            pytest.param({"origin": "http://localhost:9999"}, id="another port"),
            pytest.param({"origin": "http://localhost.evil.example"}, id="a name like ours"),
            pytest.param(
                {"origin": "http://localhost", "sec-fetch-site": "cross-site"},
                id="whom the browser says to be elsewhere",
            ),
        ],
    )
    def test_others_may_change_nothing(self, headers: dict[str, str]) -> None:
        request = Request("POST", "/", {"host": "localhost", **headers})
        refusal = LOCAL.refuse(request)
        assert refusal is not None
        assert refusal.status == 403

    @pytest.mark.fault(89)
    def test_nor_may_they_look(self) -> None:
        assert status(LOCAL, origin="http://evil.example") == 403

    @pytest.mark.parametrize(
        ("mode", "answer"),
        [
            pytest.param("navigate", 200, id="a link leads here"),
            pytest.param("no-cors", 403, id="a picture within another page does not"),
            pytest.param("cors", 403, id="nor does its script"),
        ],
    )
    def test_another_sites_page_shows_nothing_of_ours(self, mode: str, answer: int) -> None:
        assert status(LOCAL, sec_fetch_site="cross-site", sec_fetch_mode=mode) == answer


class TestToken:
    def test_who_has_the_token_may_look(self) -> None:
        assert status(GUARDED, authorization=f"Bearer {SECRET}") == 200
        assert status(GUARDED, authorization=f"bearer  {SECRET} ") == 200

    def test_so_may_who_has_its_cookie(self) -> None:
        assert status(GUARDED, cookie=f"a=b; edgecls={token().make_pass()}") == 200

    @pytest.mark.fault(89)
    @pytest.mark.parametrize(
        "headers",
        [
            pytest.param({}, id="nobody"),
            pytest.param({"authorization": "Bearer " + "t" * 43}, id="a wrong token"),
            pytest.param({"authorization": "Bearer ünïcödé"}, id="letters that no token has"),
            pytest.param({"authorization": f"Basic {SECRET}"}, id="another scheme"),
            pytest.param({"authorization": SECRET}, id="no scheme"),
            pytest.param({"cookie": f"edgecls={SECRET}"}, id="the token as cookie"),
            pytest.param({"cookie": "edgecls=9999999999.00"}, id="a made-up cookie"),
            pytest.param({"cookie": "edgecls="}, id="an empty cookie"),
        ],
    )
    def test_nobody_else_may(self, headers: dict[str, str]) -> None:
        refusal = GUARDED.refuse(Request("GET", "/", {"host": "localhost", **headers}))
        assert refusal is not None
        assert refusal.status == 401

    @pytest.mark.fault(89)
    def test_a_token_in_the_address_counts_for_nothing(self) -> None:
        request = Request("GET", "/", {"host": "localhost"}, raw_query=f"token={SECRET}")
        refusal = GUARDED.refuse(request)
        assert refusal is not None
        assert refusal.status == 401

    @pytest.mark.parametrize("path", ["/login", "/style.css", "/icon.svg"])
    def test_the_page_that_asks_for_it_is_for_everybody(self, path: str) -> None:
        assert status(GUARDED, path=path) == 200

    def test_a_wrong_token_waits_for_its_answer_and_none_does_not(self) -> None:
        wrong = GUARDED.refuse(
            Request("GET", "/", {"host": "localhost", "authorization": "Bearer x"})
        )
        none = GUARDED.refuse(Request("GET", "/", {"host": "localhost"}))
        assert wrong is not None
        assert none is not None
        assert (wrong.delay_s, none.delay_s) == (1.0, 0.0)

    @pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::"])
    def test_without_a_token_nothing_listens_to_the_network(self, host: str) -> None:
        with pytest.raises(InvalidValueError, match="needs a token"):
            Access(Listen(host, 0))

    def test_a_network_address_gets_one_by_itself(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
        monkeypatch.delenv("STATE_DIRECTORY", raising=False)
        access = open_access(Listen("0.0.0.0", 0))
        assert access.token is not None
        assert access.token.path == tmp_path / "edgecls" / "view-token"
