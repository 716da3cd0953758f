"""What is a request, and what is refused because it could be understood in two ways."""

from __future__ import annotations

import pytest

from edgecls.errors import InvalidValueError
from edgecls.web.limits import Limits
from edgecls.web.message import BadRequestError, Reply, Request, parse_head

HOST = b"\r\nHost: board"


class TestHead:
    def test_a_request_has_a_path_a_query_and_headers_by_lower_case_name(self) -> None:
        request = parse_head(
            b"GET /keep?id=7&of=a%20b HTTP/1.1\r\nHost: board\r\nX-Y:  z ", Limits()
        )
        assert (request.method, request.path) == ("GET", "/keep")
        assert request.query == {"id": "7", "of": "a b"}
        assert request.headers == {"host": "board", "x-y": "z"}

    @pytest.mark.parametrize(
        ("head", "is_last"),
        [
            pytest.param(b"GET / HTTP/1.1" + HOST, False, id="HTTP/1.1 goes on"),
            pytest.param(b"GET / HTTP/1.1" + HOST + b"\r\nConnection: close", True, id="or ends"),
            pytest.param(b"GET / HTTP/1.0" + HOST, True, id="HTTP/1.0 ends"),
        ],
    )
    def test_the_client_says_whether_the_connection_goes_on(
        self, head: bytes, is_last: bool
    ) -> None:
        assert parse_head(head, Limits()).is_last is is_last

    @pytest.mark.fault(87)
    @pytest.mark.parametrize(
        ("head", "status"),
        [
            pytest.param(b"GET / HTTP/1.1", 400, id="no Host"),
            pytest.param(b"GET / HTTP/1.0", 400, id="no Host in HTTP/1.0"),
            pytest.param(b"GET / HTTP/1.1\r\nHost:", 400, id="an empty Host"),
            pytest.param(b"GET / HTTP/1.1" + HOST + HOST, 400, id="two Hosts"),
            pytest.param(b"GET / HTTP/1.1" + HOST + b"\r\nHOST: b", 400, id="in another spelling"),
            pytest.param(b"GET /" + HOST, 400, id="no version"),
            pytest.param(b"GET  / HTTP/1.1" + HOST, 400, id="two spaces"),
            pytest.param(b"G\x00T / HTTP/1.1" + HOST, 400, id="a NUL in the method"),
            pytest.param(b"GET / HTTP/2.0" + HOST, 505, id="another HTTP"),
            pytest.param(b"GET / RTSP/1.0" + HOST, 400, id="no HTTP"),
            pytest.param(b"GET / HTTP/1.1" + HOST + b"\r\nX : y", 400, id="space before a colon"),
            pytest.param(b"GET / HTTP/1.1" + HOST + b"\r\n more", 400, id="a folded line"),
            pytest.param(b"GET / HTTP/1.1" + HOST + b"\r\nX: \x00", 400, id="a NUL in a value"),
            pytest.param(b"GET / HTTP/1.1" + HOST + b"\r\nX: a\nY: b", 400, id="a bare line feed"),
            pytest.param(b"GET / HTTP/1.1" + HOST + b"\r\nX: a\rY: b", 400, id="a bare return"),
            pytest.param(b"GET / HTTP/1.1" + HOST + b"\r\nX:" * 70, 431, id="70 headers"),
        ],
    )
    def test_what_is_odd_is_refused(self, head: bytes, status: int) -> None:
        with pytest.raises(BadRequestError) as refused:
            parse_head(head, Limits())
        assert refused.value.status == status


class TestBody:
    @pytest.mark.parametrize(
        ("headers", "length"),
        [
            pytest.param({}, 0, id="no body"),
            pytest.param({"content-length": "12"}, 12, id="12 bytes"),
            pytest.param({"content-length": "9" * 4000}, 1 << 62, id="more than there are"),
        ],
    )
    def test_its_length_is_what_the_client_says(self, headers: dict[str, str], length: int) -> None:
        assert Request("POST", "/", headers).length == length

    @pytest.mark.fault(87)
    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            pytest.param({"transfer-encoding": "chunked"}, 411, id="in chunks"),
            pytest.param(
                {"transfer-encoding": "x", "content-length": "3"}, 411, id="in chunks and not"
            ),
            pytest.param({"content-length": "-1"}, 400, id="less than none"),
            pytest.param({"content-length": "+1"}, 400, id="with a sign"),
            pytest.param({"content-length": "0x10"}, 400, id="in hexadecimals"),
            pytest.param({"content-length": "1, 1"}, 400, id="a list"),
            pytest.param({"content-length": "²"}, 400, id="a digit that is none"),
            pytest.param({"expect": "100-continue"}, 417, id="on a condition"),
        ],
    )
    def test_a_length_in_another_form_is_refused(
        self, headers: dict[str, str], status: int
    ) -> None:
        with pytest.raises(BadRequestError) as refused:
            _ = Request("POST", "/", headers).length
        assert refused.value.status == status

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(b"", id="nothing"),
            pytest.param(b"{", id="half of it"),
            pytest.param(b"[1]", id="a list"),
            pytest.param(b"\xff", id="no text"),
            pytest.param(b"[" * 100_000, id="brackets without end"),
        ],
    )
    def test_what_is_no_object_of_json_is_told(self, body: bytes) -> None:
        request = Request("POST", "/", {"content-type": "application/json"}, body=body)
        with pytest.raises(InvalidValueError, match="the body is no"):
            request.json()

    def test_a_form_of_another_page_is_no_json(self) -> None:
        request = Request("POST", "/", {"content-type": "text/plain"}, body=b"{}")
        with pytest.raises(InvalidValueError, match="text/plain, wanted application/json"):
            request.json()

    def test_a_query_of_a_thousand_fields_is_refused(self) -> None:
        with pytest.raises(InvalidValueError, match="cannot be read"):
            _ = Request("GET", "/", {}, raw_query="&".join(["a=1"] * 1000)).query


class TestReply:
    def test_every_reply_forbids_what_no_page_needs(self) -> None:
        head = Reply().to_head(is_last=False, length=0).decode()
        assert "Content-Security-Policy: default-src 'self'; base-uri 'none';" in head
        assert "frame-ancestors 'none'\r\n" in head
        assert "X-Content-Type-Options: nosniff\r\n" in head
        assert "Cache-Control: no-store\r\n" in head
        assert "Access-Control" not in head

    def test_an_error_has_a_problem_and_a_hint(self) -> None:
        reply = Reply.of_error(400, "the label is empty", "name it")
        assert reply.body == b'{"error": "the label is empty", "hint": "name it"}'
