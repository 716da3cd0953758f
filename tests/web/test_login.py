"""Names, pages of elsewhere and tokens, as the server asks for them."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.support.web import (
    connect,
    fetch,
    post,
    read_reply,
    status_of,
    talk,
)
from tests.web.conftest import House

OpenHouse = Callable[..., House]


class TestAccess:
    @pytest.mark.fault(89)
    def test_a_foreign_host_is_403_whatever_it_asks_for(self, house: House) -> None:
        for path in ("/", "/style.css", "/picture", "/events", "/nowhere", "/login"):
            assert fetch(house.port, path, Host="evil.example").status == 403

    @pytest.mark.fault(89)
    def test_a_foreign_page_changes_nothing(self, house: House) -> None:
        assert post(house.port, "/keep", b"{}", Origin="http://evil.example").status == 403
        assert house.kept == []

    @pytest.mark.fault(89)
    def test_without_the_token_everything_is_401(self, open_house: OpenHouse) -> None:
        house = open_house(has_token=True)
        for path in ("/", "/dom.js", "/picture", "/events", "/echo", "/nowhere", "/%2e%2e/x"):
            assert fetch(house.port, path).status == 401
        assert post(house.port, "/keep", b"{}").status == 401
        assert house.kept == []

    def test_with_the_token_everything_is_as_without_one(self, open_house: OpenHouse) -> None:
        house = open_house(has_token=True)
        bearer = f"Bearer {house.token_file.read_text().strip()}"
        assert fetch(house.port, "/echo", Authorization=bearer).status == 200
        assert post(house.port, "/keep", b"{}", Authorization=bearer).status == 200

    def test_a_login_gives_a_cookie_that_no_script_and_no_other_site_gets(
        self, open_house: OpenHouse
    ) -> None:
        house = open_house(has_token=True)
        form = f"token={house.token_file.read_text().strip()}".encode()
        kind = "application/x-www-form-urlencoded"
        origin = f"http://127.0.0.1:{house.port}"
        answer = fetch(house.port, "/login", "POST", form, Content_Type=kind, Origin=origin)
        cookie = answer.headers["set-cookie"]
        assert (answer.status, answer.headers["location"]) == (303, "/")
        assert cookie.endswith("; HttpOnly; SameSite=Strict")
        assert fetch(house.port, "/", Cookie=cookie.split(";")[0]).status == 200

    def test_a_login_with_more_than_a_token_is_not_even_read(self, open_house: OpenHouse) -> None:
        house = open_house(has_token=True)
        head = b"POST /login HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
        assert status_of(talk(house.port, head + b"Content-Length: 100000\r\n\r\n")) == 413

    @pytest.mark.fault(89)
    def test_a_wrong_token_is_answered_late_and_nobody_else_waits(
        self, open_house: OpenHouse
    ) -> None:
        house = open_house(has_token=True)
        with connect(house.port) as guesser:
            guesser.sendall(
                b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer guess\r\n\r\n"
            )
            sent = time.monotonic()
            assert fetch(house.port, "/login").status == 200
            others_waited = time.monotonic() - sent
            assert status_of(read_reply(guesser)) == 401
            waited = time.monotonic() - sent
        assert waited >= 1.0
        assert others_waited < waited

    @pytest.mark.fault(89)
    def test_a_wrong_token_in_the_form_is_answered_late_too(self, open_house: OpenHouse) -> None:
        house = open_house(has_token=True)
        kind = "application/x-www-form-urlencoded"
        origin = f"http://127.0.0.1:{house.port}"
        sent = time.monotonic()
        answer = fetch(
            house.port, "/login", "POST", b"token=guess", Content_Type=kind, Origin=origin
        )
        assert (answer.status, "set-cookie" in answer.headers) == (401, False)
        assert time.monotonic() - sent >= 1.0
