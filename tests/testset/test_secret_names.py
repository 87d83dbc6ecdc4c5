"""What a name says about its value."""

from __future__ import annotations

import pytest

from testset.secret_names import Names, joined

SECRET = """
    password passwd db_password dbPassword DB-PASSWORD new_password2 password_hash secret client_secret clientSecret
    token access_token refreshToken id_token api_key apikey X-API-Key private_key session session_id PHPSESSID
    user[password] user%5Bpassword%5D aws_secret_access_key accesstoken
"""
NO_SECRET = """
    id email key primary_key keyboard token_type max_tokens nextToken next_page_token password_reset passenger author
    authorized sessions secretary compass productId 123 _
"""


@pytest.mark.parametrize("name", SECRET.split())
def test_names_of_secrets(name: str) -> None:
    assert Names().kind(name) is not None


@pytest.mark.parametrize("name", [*NO_SECRET.split(), ""])
def test_names_of_no_secrets(name: str) -> None:
    assert Names().kind(name) is None


def test_most_numbers_of_such_names_only_count() -> None:
    names = Names()
    assert (names.kind_of_number("token"), names.kind_of_number("session")) == (None, None)
    assert (names.kind_of_number("password"), names.kind_of_number("client_secret")) == ("password", "secret")


def test_a_header_is_known_by_its_own_name_or_by_what_any_name_says() -> None:
    names = Names()
    assert [names.kind_of_header(one) for one in ("Cookie", "X-Refresh-Token", "Accept")] == ["cookie", "token", None]


def test_a_project_adds_names_and_exempts_some() -> None:
    names = Names(added=["customer_pin"], exempt=["access-token", "Cookie"])
    assert [names.kind(one) for one in ("customerPin", "accessToken", "token")] == ["secret", None, "token"]
    assert names.kind_of_header("cookie") is None


def test_a_name_is_the_same_however_it_is_written() -> None:
    assert joined("access_token") == joined("accessToken") == joined("Access-Token") == "accesstoken"
