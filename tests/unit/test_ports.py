"""A taken port is named with its process; the next free one is chosen."""

import os
import socket

import pytest

from gateway.ports import holder, is_free, pick_port
from resources.errors import SpiceError


def listen(port: int = 0) -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", port))
    listener.listen(1)
    return listener


def test_a_free_port_is_taken_as_wanted() -> None:
    with listen() as probe:
        port = probe.getsockname()[1]
    choice = pick_port(port)
    assert choice.port == port
    assert choice.taken == []


def test_a_taken_port_is_named_with_its_process_and_the_next_one_is_used() -> None:
    with listen() as other:
        port = other.getsockname()[1]
        assert not is_free("127.0.0.1", port)
        assert f"process {os.getpid()}" in holder(port)
        choice = pick_port(port)
    assert choice.port > port
    assert choice.taken[0].startswith(f"Port {port} is taken by py")


def test_no_free_port_in_reach_is_an_error_that_names_the_range() -> None:
    with listen(65535), pytest.raises(SpiceError, match="65535"):
        pick_port(65535)
