"""Invalid credentials of every kind, and the one answer to all of them."""

import base64
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import jwt
import pytest
from fastapi.testclient import TestClient

from domain.users import Role
from infra import secrets
from infra.secrets import signing_keys
from infra.stores import stores
from infra.users.tokens import AUDIENCE, ISSUER, PURPOSE, Claims, InvalidTokenError, Kind
from tests.functions.api.people import Headers, bearer, log_in, make_user

SECRET = "s" * 64
NOW = datetime.now(UTC)

Forge = Callable[..., str]


def part(value: object) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


@pytest.fixture
def tokens(closed: None, api: TestClient) -> dict[str, Any]:
    make_user("ada", Role.ADMIN)
    return log_in(api, "ada")


@pytest.fixture
def forge(tokens: dict[str, Any]) -> Forge:
    """Return a function that signs a valid token, with the given changes."""
    key = signing_keys("signing", PURPOSE)[0]
    good = jwt.decode(tokens["access_token"], key.secret, ["HS256"], audience=AUDIENCE)

    def sign(
        claims: dict[str, Any] | None = None,
        header: dict[str, Any] | None = None,
        secret: bytes = key.secret,
        without: str = "",
        digest: str = "sha256",
    ) -> str:
        payload = {name: value for name, value in (good | (claims or {})).items() if name != without}
        head = {"alg": "HS256", "typ": "JWT", "kid": key.id} | (header or {})
        head = {name: value for name, value in head.items() if value is not None}
        signed = f"{part(head)}.{part(payload)}"
        return f"{signed}.{part(hmac.digest(secret, signed.encode(), digest))}"

    return sign


def bad_signatures(forge: Forge) -> dict[str, str]:
    """Return tokens whose header or signature is wrong, by what is wrong."""
    payload = forge().split(".")[1]
    cursors = signing_keys("signing", "cursors")[0].secret
    return {
        "alg none, unsigned": f"{part({'alg': 'none', 'typ': 'JWT'})}.{payload}.",
        "alg none, signed": forge(header={"alg": "none"}),
        "alg None in another case": forge(header={"alg": "nOnE"}),
        "alg of another length": forge(header={"alg": "HS512"}, digest="sha512"),
        "alg of key pairs": forge(header={"alg": "RS256"}),
        "no alg": forge(header={"alg": None}),
        "wrong key": forge(secret=b"k" * 32),
        "empty key": forge(secret=b""),
        "the secret itself as key": forge(secret=SECRET.encode()),
        "key of another purpose": forge(secret=cursors),
        "wrong kid": forge(header={"kid": "0" * 16}),
        "no kid": forge(header={"kid": None}),
        "kid that is not text": forge(header={"kid": 1}),
        "critical extension": forge(header={"crit": ["x"], "x": 1}),
    }


def bad_claims(forge: Forge) -> dict[str, str]:
    """Return tokens whose claims or spelling is wrong, by what is wrong."""
    good = forge()
    head, payload, signature = good.split(".")
    at = int(NOW.timestamp())
    return {
        "expired": forge({"exp": at - 1, "iat": at - 901}),
        "issued in the future": forge({"iat": at + 3600, "exp": at + 4500}),
        "not yet": forge({"nbf": at + 3600}),
        "wrong issuer": forge({"iss": f"{ISSUER}-other"}),
        "wrong audience": forge({"aud": "other"}),
        "one audience of several": forge({"aud": [AUDIENCE, "other"]}),
        "wrong type": forge({"typ": "refresh"}),
        "no type": forge(without="typ"),
        "no expiry": forge(without="exp"),
        "no id": forge(without="jti"),
        "subject that is not text": forge({"sub": 1}),
        "unknown user": forge({"sub": "0" * 32}),
        "unknown session": forge({"sid": "0" * 32}),
        "truncated": good[:-1],
        "without its signature": f"{head}.{payload}.",
        "another spelling of the signature": good[:-1] + chr(ord(good[-1]) + 1),
        "other claims under the signature": f"{head}.{part({'sub': 'root'})}.{signature}",
        "oversized": forge({"padding": "x" * 8000}),
        "deeply nested": f"{part(b'[' * 600)}.{payload}.{signature}",
    }


def bad_headers(tokens: dict[str, Any], forge: Forge) -> dict[str, Headers]:
    """Return the headers to send, by what is wrong with them."""
    good = forge()
    bad = bad_signatures(forge) | bad_claims(forge)
    headers = {name: {"Authorization": f"Bearer {token}"} for name, token in bad.items()}
    return headers | {
        "a refresh token": {"Authorization": f"Bearer {tokens['refresh_token']}"},
        "another scheme": {"Authorization": f"Basic {good}"},
        "no scheme": {"Authorization": good},
        "no token": {"Authorization": "Bearer "},
        "two tokens": {"Authorization": f"Bearer {good} {good}"},
        "a key of another form": {"X-API-Key": "eo_x"},
        "an unknown key": {"X-API-Key": f"eo_{'0' * 32}_{'0' * 16}_{'0' * 64}"},
        "a token as API key": {"X-API-Key": good},
    }


def test_an_unchanged_forged_token_is_valid(api: TestClient, forge: Forge) -> None:
    assert api.get("/contract", headers={"Authorization": f"Bearer {forge()}"}).status_code == 200
    assert api.get("/contract", headers={"Authorization": f"bEARER {forge()}"}).status_code == 200


def test_bad_credentials_all_get_one_and_the_same_answer(
    api: TestClient, tokens: dict[str, Any], forge: Forge
) -> None:
    answers: dict[tuple[object, ...], list[str]] = {}
    bad: dict[str, Headers] = {"none": {}} | bad_headers(tokens, forge)
    assert len(bad) >= 33
    for name, headers in bad.items():
        answer = api.get("/contract", headers=headers)
        body = answer.text.replace(answer.headers["X-Request-ID"], "")
        shown = {
            header: value
            for header, value in answer.headers.items()
            if header not in ("x-request-id", "x-process-time")
        }
        answers.setdefault((answer.status_code, body, *shown.items()), []).append(name)

    assert len(answers) == 1, answers
    ((answer_to_all, names),) = answers.items()
    assert answer_to_all[0] == 401
    assert len(names) == len(bad)


def test_two_credentials_in_one_request_are_refused(api: TestClient, forge: Forge) -> None:
    both = [("Authorization", f"Bearer {forge()}"), ("Authorization", f"Bearer {forge()}")]
    assert api.get("/contract", headers=both).status_code == 401


def test_a_token_of_the_previous_key_is_valid_until_that_key_is_removed(
    closed: None, api: TestClient
) -> None:
    def rotate(**secret: str | None) -> None:
        boto3.client("secretsmanager").put_secret_value(SecretId="signing", SecretString=json.dumps(secret))
        secrets.forget()

    make_user("ada")
    before = bearer(log_in(api, "ada"))
    rotate(current="n" * 64, previous=SECRET)
    after = bearer(log_in(api, "ada"))
    for shown in (before, after):
        assert api.get("/contract", headers=shown).status_code == 200

    rotate(current="n" * 64, previous=None)
    assert api.get("/contract", headers=before).status_code == 401
    assert api.get("/contract", headers=after).status_code == 200
    rotate(current=SECRET)


def test_an_access_token_contains_only_ids_and_times(tokens: dict[str, Any]) -> None:
    claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    assert set(claims) == {"iss", "aud", "sub", "sid", "jti", "typ", "iat", "exp"}
    assert claims["exp"] - claims["iat"] == 900 == tokens["expires_in"]
    assert jwt.get_unverified_header(tokens["access_token"])["alg"] == "HS256"


def test_a_token_is_invalid_from_the_second_of_its_expiry(closed: None, api: TestClient) -> None:
    make_user("ada")
    log_in(api, "ada")
    maker = stores().tokens
    claims = Claims("0" * 32, "0" * 32, "0" * 32)
    past = NOW - timedelta(hours=1)
    live = maker.issue(Kind.ACCESS, claims, past, datetime.now(UTC) + timedelta(seconds=5))
    over = maker.issue(Kind.ACCESS, claims, past, datetime.now(UTC))

    assert maker.read(Kind.ACCESS, live) == claims
    with pytest.raises(InvalidTokenError):
        maker.read(Kind.ACCESS, over)
