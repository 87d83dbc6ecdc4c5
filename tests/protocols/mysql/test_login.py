"""The connection phase from the middle: what goes on, what is kept, and what never is."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.mysql.login import Act, Keep, Login, Over, Pass, Secure
from testset.model import Side

C, S = Side.CLIENT, Side.SERVER
SCRAMBLE = bytes(range(1, 21))
COMPRESS, SSL, ZSTD = 1 << 5, 1 << 11, 1 << 26
USUAL = 0x01FFA28D | COMPRESS | SSL | ZSTD  # what a server of today offers, and a client takes


def packet(sequence: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([sequence]) + payload


def greeting(capabilities: int = USUAL, version: bytes = b"9.7.4", scramble: bytes = SCRAMBLE, own: int = 0) -> bytes:
    return packet(
        0,
        b"\x0a" + version + b"\0" + struct.pack("<I", 77) + scramble[:8] + b"\0"
        + struct.pack("<H", capabilities & 0xFFFF) + b"\xff" + struct.pack("<H", 2)
        + struct.pack("<H", capabilities >> 16) + b"\x15" + bytes(6) + struct.pack("<I", own)
        + scramble[8:] + b"\0" + b"caching_sha2_password\0",
    )  # fmt: skip


def response(
    capabilities: int = USUAL & ~SSL, answer: bytes = b"an answer of 32 bytes, a hash...", sequence: int = 1
) -> bytes:
    return packet(
        sequence,
        struct.pack("<IIB23x", capabilities | 8, 1 << 24, 255) + b"shop\0" + bytes([len(answer)]) + answer
        + b"orders\0" + b"caching_sha2_password\0" + b"\x0c\x04_pid\x06123456",
    )  # fmt: skip


def tls_request(capabilities: int = USUAL) -> bytes:
    return packet(1, struct.pack("<IIB23x", capabilities, 1 << 24, 255))


OK = packet(2, bytes.fromhex("00000002000000"))
DENIED = packet(2, b"\xff\x15\x04#28000Access denied for user 'shop'@'localhost' (using password: YES)")


def play(*turns: tuple[Side, bytes]) -> list[Act]:
    login = Login()
    return [act for side, data in turns for act in login.feed(side, data)]


def passed(acts: list[Act], side: Side) -> bytes:
    return b"".join(act.data for act in acts if isinstance(act, Pass) and act.side is side)


def kept(acts: list[Act], side: Side) -> bytes:
    return b"".join(act.data for act in acts if isinstance(act, Keep) and act.side is side)


def test_a_login_in_one_go() -> None:
    acts = play((S, greeting()), (C, response()), (S, OK))
    assert acts[-1] == Over()
    assert passed(acts, S) == greeting(USUAL & ~COMPRESS & ~ZSTD) + OK
    assert passed(acts, C) == response(USUAL & ~SSL & ~COMPRESS & ~ZSTD)


def test_what_is_kept_is_a_login_without_secrets() -> None:
    acts = play((S, greeting()), (C, response()), (S, OK))
    empty = bytes(20)
    assert kept(acts, S)[: len(greeting())] == greeting(USUAL & ~COMPRESS & ~ZSTD, scramble=empty).replace(
        struct.pack("<I", 77) + bytes(8), bytes(12)
    )
    assert SCRAMBLE[:8] not in kept(acts, S)
    assert b"an answer" not in kept(acts, C)
    assert b"_pid" not in kept(acts, C), "what the driver says of itself changes with every run"
    assert b"shop\0\0orders\0caching_sha2_password\0\0" in kept(acts, C)


def test_full_authentication_passes_and_leaves_nothing() -> None:
    password = packet(3, b"s3cret-passw0rd\0")
    acts = play(
        (S, greeting()), (C, response()), (S, packet(2, b"\x01\x04")), (C, password), (S, packet(4, OK[4:])),
    )  # fmt: skip
    assert password in passed(acts, C)
    assert b"s3cret" not in kept(acts, C) + kept(acts, S)
    assert kept(acts, S).endswith(OK), "the packet that ends the login follows the response, whatever came between"


def test_another_way_to_log_in_is_agreed_on() -> None:
    switch = packet(2, b"\xfemysql_native_password\0" + SCRAMBLE + b"\0")
    acts = play((S, greeting()), (C, response()), (S, switch), (C, packet(3, b"h" * 20)), (S, packet(4, OK[4:])))
    assert switch in passed(acts, S)
    assert SCRAMBLE not in kept(acts, S)
    assert acts[-1] == Over()


def test_tls_begins_after_the_request_for_it() -> None:
    login = Login()
    login.feed(S, greeting())
    acts = login.feed(C, tls_request() + b"\x16\x03\x01hello")
    assert acts == [Pass(C, tls_request(USUAL & ~COMPRESS & ~ZSTD)), Secure(b"\x16\x03\x01hello")]
    acts = login.feed(C, response(USUAL, sequence=2)) + login.feed(S, packet(3, OK[4:]))
    assert kept(acts, C)[3] == 1, "as if the request for TLS had never been"
    assert struct.unpack_from("<I", kept(acts, C), 4)[0] & SSL, "that there was TLS is told by the flag"
    assert acts[-1] == Over()


def test_a_login_that_is_denied() -> None:
    acts = play((S, greeting()), (C, response()), (S, DENIED))
    assert passed(acts, S).endswith(DENIED)
    assert kept(acts, S).endswith(DENIED)
    assert acts[-1] == Over()


def test_a_server_that_refuses_at_once() -> None:
    refusal = packet(0, b"\xff\x10\x04Too many connections")
    acts = play((S, refusal))
    assert acts == [Keep(S, refusal), Pass(S, refusal), Over()]


def test_mariadb_s_own_capabilities_lose_only_progress_reports() -> None:
    capabilities = USUAL & ~1
    acts = play((S, greeting(capabilities, b"5.5.5-10.11.19-MariaDB", own=0b11101)))
    assert passed(acts, S) == greeting(capabilities & ~COMPRESS & ~ZSTD, b"5.5.5-10.11.19-MariaDB", own=0b11100)


def test_what_the_server_says_at_the_end_of_a_login_may_be_a_signature() -> None:
    signed = packet(2, bytes.fromhex("00000002400000") + b"\x20" + b"0123456789abcdef0123456789abcdef")
    acts = play((S, greeting()), (C, response()), (S, signed))
    assert passed(acts, S).endswith(signed)
    assert kept(acts, S).endswith(packet(2, bytes.fromhex("00000002000000")))


@pytest.mark.parametrize("first", [b"SSH-2.0-OpenSSH_9.2p1\r\n", b"220 mail.example.org ESMTP\r\n", b"+OK ready\r\n"])
def test_what_is_no_mysql_passes_as_it_is(first: bytes) -> None:
    assert play((S, first)) == [Keep(S, first), Pass(S, first), Over()]


def test_a_greeting_in_pieces() -> None:
    login = Login()
    acts = [act for byte in greeting() for act in login.feed(S, bytes([byte]))]
    assert passed(acts, S) == greeting(USUAL & ~COMPRESS & ~ZSTD)


def test_a_client_of_before_4_1_is_passed_and_not_kept() -> None:
    old = packet(1, struct.pack("<H", 0x0005) + b"\0\0\0shop\0" + b"answer77")
    acts = play((S, greeting()), (C, old))
    assert passed(acts, C) == old
    assert b"answer77" not in kept(acts, C)
    assert isinstance(acts[-1], Over)
    assert acts[-1].lost is not None


@given(st.lists(st.tuples(st.sampled_from([C, S]), st.binary(max_size=80)), max_size=8), st.booleans())
def test_whatever_comes_passes_whole_and_in_order(turns: list[tuple[Side, bytes]], greeted: bool) -> None:
    login = Login()
    if greeted:
        login.feed(S, greeting())
    sent = {C: b"", S: b""}
    acts: list[Act] = []
    for side, data in turns:
        if acts and isinstance(acts[-1], Over | Secure):
            break
        sent[side] += data
        acts += login.feed(side, data)
    for side in (C, S):
        assert sent[side].startswith(passed(acts, side)) or greeted, "only capabilities are ever changed"
        assert len(passed(acts, side)) <= len(sent[side])
    if acts and isinstance(acts[-1], Over):
        assert len(passed(acts, C) + passed(acts, S)) == len(sent[C] + sent[S])
