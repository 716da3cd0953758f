"""No password of an address is ever shown."""

from __future__ import annotations

import pytest

from edgecls.contract.address import redact_address, redact_url


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("http://cam/stream", "http://cam/stream", id="an address without one is kept"),
        pytest.param(
            "http://cam:8080/a@2x.jpg", "http://cam:8080/a@2x.jpg", id="so is an @ in a path"
        ),
        pytest.param("rtsp://admin:hidden@cam/1", "rtsp://***@cam/1", id="user and password"),
        pytest.param("http://hidden@cam/", "http://***@cam/", id="a token for a user"),
        pytest.param("http://a:hid@den@cam/", "http://***@cam/", id="an @ in the password"),
        pytest.param("http://a:hid/den@cam/x", "http://***@cam/x", id="a slash in the password"),
        pytest.param("http://a:hid#den@cam/x", "http://***@cam/x", id="a # in the password"),
        pytest.param("http://a:hid?den@cam/x", "http://***@cam/x", id="a ? in the password"),
        pytest.param("http://a:1/den@cam", "http://a:1/den@cam", id="but a port is a port"),
        pytest.param("http://a:b@[::1]:81/x", "http://***@[::1]:81/x", id="before an IPv6 address"),
        pytest.param(
            "http://cam/v.cgi?user=admin&pwd=hidden&rate=0",
            "http://cam/v.cgi?user=***&pwd=***&rate=0",
            id="in a query",
        ),
        pytest.param(
            "http://cam/?access_token=hidden#x", "http://cam/?access_token=***#x", id="as a token"
        ),
        pytest.param(
            "cannot open 'rtsp://a:hidden@cam/1': timed out, nor mqtt://b:hidden@broker",
            "cannot open 'rtsp://***@cam/1': timed out, nor mqtt://***@broker",
            id="anywhere in a message",
        ),
        pytest.param("http:/a:hidden@cam/1", "http:/***@cam/1", id="behind a slash too few"),
        pytest.param("http:///a:hidden@cam/1", "http:///***@cam/1", id="behind a slash too many"),
        pytest.param("no address: a@b", "no address: a@b", id="other text is kept"),
    ],
)
def test_redact_url(text: str, shown: str) -> None:
    assert redact_url(text) == shown


@pytest.mark.fault(152)
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://u:p@hall/1", "rtsp://***@hall/1"),
        ("rtsp://u:pass word@hall/1", "rtsp://***@hall/1"),
        ("rtsp://my user:p@hall", "rtsp://***@hall"),
        ("rtsp://u:p'\"<>w@hall/1", "rtsp://***@hall/1"),
        ("rtsp:\\\\u:p@hall/1", "rtsp:\\\\***@hall/1"),
        ("http://u:p\t@hall/x?token=abc", "http://***@hall/x?token=***"),
        ("u:p@hall/1", "***@hall/1"),
        ("//u:p@hall/1", "***@hall/1"),
        ("rtsp://hall/a b", "rtsp://hall/a b"),
    ],
)
def test_an_address_that_stands_alone_shows_no_password(text: str, shown: str) -> None:
    assert redact_address(text) == shown
