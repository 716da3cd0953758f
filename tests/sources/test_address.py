"""Addresses of cameras are taken apart once, and show no password."""

from __future__ import annotations

import pytest

from edgecls.errors import NoSuchSourceError, SourceError
from edgecls.sources.address import Address, parse_address

WEB = ("http", "https")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        pytest.param("http://cam", Address("http", "cam", 80, "/"), id="the least there is"),
        pytest.param(
            "https://cam:8443/a?b=c",
            Address("https", "cam", 8443, "/a?b=c"),
            id="port, path and query",
        ),
        pytest.param(
            "http://me:p%40ss@cam/", Address("http", "cam", 80, "/", "me", "p@ss"), id="a login"
        ),
        pytest.param("HTTP://[::1]:81/x", Address("http", "::1", 81, "/x"), id="IPv6"),
        pytest.param(
            "http://cam/a b\r\nX: y", Address("http", "cam", 80, "/a%20bX:%20y"), id="odd letters"
        ),
        pytest.param(
            "http://cam/\udcff?\udcfe", Address("http", "cam", 80, "/%FF?%FE"), id="bytes"
        ),
        pytest.param(
            "http://kamera.straße.example/",
            Address("http", "kamera.strasse.example", 80, "/"),
            id="a name that is not ASCII",
        ),
        pytest.param(
            "http://[fe80::1%25eth0]/", Address("http", "fe80::1%eth0", 80, "/"), id="a zone"
        ),
    ],
)
def test_parse_address(text: str, address: Address) -> None:
    assert parse_address(text, WEB) == address


def test_user_and_password_may_be_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGECLS_SOURCE_USER", "me")
    monkeypatch.setenv("EDGECLS_SOURCE_PASSWORD", "a/b")
    address = parse_address("rtsp://cam/1", ("rtsp",))
    assert address.with_password == "rtsp://me:a%2Fb@cam/1"


@pytest.mark.fault(61)
def test_neither_text_nor_repr_shows_a_password() -> None:
    address = parse_address("http://me:hidden@cam/?pwd=hidden", WEB)
    assert str(address) == "http://cam/?pwd=***"
    assert "hidden@" not in repr(address)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("ftp://cam/", id="another scheme"),
        pytest.param("http:///stream", id="no host"),
        pytest.param("http://cam:port/", id="a port that is none"),
        pytest.param("http://cam:99999/", id="a port that cannot be"),
        pytest.param("http://[::1/", id="half an IPv6 address"),
        pytest.param("http://" + "a" * 64 + "/", id="a name of over 63 letters"),
        pytest.param("http://\udcff/", id="bytes that are no name"),
        pytest.param("http://a:hid%0d%0aden@cam/", id="a password with a line break"),
        pytest.param("http://a:hid/den@cam/", id="a password with a slash"),
    ],
)
@pytest.mark.fault(61)
def test_what_is_no_address_is_refused_without_its_password(text: str) -> None:
    with pytest.raises(SourceError, match="is not the address of a camera") as refused:
        parse_address(text, WEB)
    assert "hid" not in refused.value.problem
    assert "EDGECLS_SOURCE_PASSWORD" in refused.value.hint


@pytest.mark.parametrize(
    ("start", "location", "end"),
    [
        pytest.param("http://a:b@cam/x", "/y", "http://a:b@cam/y", id="on the same host it stays"),
        pytest.param(
            "http://a:b@cam/", "https://cam/y", "https://a:b@cam/y", id="so it does on TLS"
        ),
        pytest.param("http://a:b@cam/", "http://other/", "http://other/", id="others are not told"),
        pytest.param("https://a:b@cam/", "http://cam/", "http://cam/", id="nor in the clear"),
        pytest.param("http://a:b@cam/", "http://cam:81/", "http://cam:81/", id="nor another port"),
        pytest.param(
            "http://a:b@cam:81/",
            "https://cam:81/",
            "https://a:b@cam:81/",
            id="the port may change to TLS",
        ),
        pytest.param(
            "http://a:b@cam:81/", "https://cam/", "https://cam/", id="nor another one with TLS"
        ),
        pytest.param(
            "https://a:b@cam:80/", "http://cam:80/", "http://cam/", id="nor the same in the clear"
        ),
        pytest.param(
            "http://a:b@cam/", "http://a:b@other/", "http://other/", id="nor by its own word"
        ),
        pytest.param(
            "http://a:b@cam/", "http://x:y@cam/", "http://a:b@cam/", id="nor as somebody else"
        ),
        pytest.param("http://a:b@cam/", "//other/y", "http://other/y", id="nor without a scheme"),
        pytest.param("rtsp://a:b@cam/", "rtsp://cam:555/", "rtsp://cam:555/", id="nor by RTSP"),
        pytest.param("rtsp://a:b@cam/x", "/y?z", "rtsp://a:b@cam/y?z", id="a part stays, too"),
    ],
)
@pytest.mark.fault(140)
def test_a_redirect_and_the_password(start: str, location: str, end: str) -> None:
    assert parse_address(start, (*WEB, "rtsp")).follow(location).with_password == end


@pytest.mark.fault(140)
def test_a_redirect_does_not_tell_the_password_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EDGECLS_SOURCE_USER", "me")
    monkeypatch.setenv("EDGECLS_SOURCE_PASSWORD", "hidden")
    address = parse_address("http://cam/", WEB)
    assert address.follow("/x").password == "hidden"
    assert address.follow("http://cam:81/").has_login is False


@pytest.mark.fault(144)
@pytest.mark.parametrize(
    "location",
    [
        "http://[::1/stream", "//[::1/", "http://[/", "http://cam:99999/", "http://cam:-1/",
        "http://cam:x/", "http:///", "http://" + "a" * 64 + "/", "http://a..b/",
        "http://\x1b[31m/", "http://\u2024.example/",
    ],
)  # fmt: skip
def test_a_redirect_to_no_address_may_be_another_one_later(location: str) -> None:
    with pytest.raises(SourceError, match="the camera sends us on") as refused:
        parse_address("http://cam/", WEB).follow(location)
    assert not isinstance(refused.value, NoSuchSourceError)


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "gopher://cam/", "rtsp://cam/", "data:,x"]
)
@pytest.mark.fault(51)
def test_a_redirect_to_anything_but_the_web_is_refused(location: str) -> None:
    with pytest.raises(SourceError, match="wanted http or https") as refused:
        parse_address("http://cam/", WEB).follow(location)
    assert f"'{location}'" in str(refused.value)
