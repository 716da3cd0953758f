"""Where a server listens."""

from __future__ import annotations

import pytest

from edgecls.errors import EdgeclsError, InvalidValueError
from edgecls.web import Listen


class TestListen:
    @pytest.mark.parametrize(
        ("text", "host", "port"),
        [
            ("", "127.0.0.1", 8080),
            ("9000", "127.0.0.1", 9000),
            (":9000", "127.0.0.1", 9000),
            ("localhost:9000", "127.0.0.1", 9000),
            ("0.0.0.0", "0.0.0.0", 8080),
            ("192.168.1.5:80", "192.168.1.5", 80),
            ("[::1]:9000", "::1", 9000),
            ("::1", "::1", 8080),
        ],
    )
    def test_an_address_is_read(self, text: str, host: str, port: int) -> None:
        assert Listen.parse(text) == Listen(host, port)

    @pytest.mark.parametrize(
        "text", ["board:80", "1.2.3.4:99999", "1.2.3.4:x", "1:2:3", "http://1.2.3.4", "999999999"]
    )
    def test_what_is_none_is_an_error(self, text: str) -> None:
        with pytest.raises(InvalidValueError, match=r"no address|the port is"):
            Listen.parse(text)

    def test_only_loopback_is_for_this_machine_alone(self) -> None:
        assert Listen().is_loopback
        assert Listen("::1", 80).is_loopback
        assert not Listen("0.0.0.0", 80).is_loopback

    def test_a_port_that_is_taken_is_told(self) -> None:
        with (
            Listen("127.0.0.1", 0).open_socket() as taken,
            pytest.raises(
                EdgeclsError, match=r"cannot listen at .*: Address already in use"
            ) as told,
        ):
            Listen("127.0.0.1", taken.getsockname()[1]).open_socket()
        assert "name another port" in told.value.hint

    def test_an_address_of_another_machine_is_told(self) -> None:
        with pytest.raises(EdgeclsError, match=r"cannot listen at 192\.0\.2\.1:8080"):
            Listen("192.0.2.1").open_socket()
