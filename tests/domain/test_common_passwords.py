import pytest

from domain.common_passwords import COMMON_PASSWORDS
from domain.users import SHORTEST_PASSWORD, is_common_password


def test_there_are_hundreds_of_common_passwords_and_none_is_too_short() -> None:
    assert len(COMMON_PASSWORDS) > 300
    assert min(map(len, COMMON_PASSWORDS)) >= SHORTEST_PASSWORD
    assert {password.casefold() for password in COMMON_PASSWORDS} == COMMON_PASSWORDS


@pytest.mark.parametrize(
    ("password", "common"),
    [
        *((text, True) for text in ("password", "PASSWORD", "iLoveYou", "1q2w3e4r", "TrustNo1", "Passw0rd")),
        ("correct horse", False),
        ("password of mine", False),
    ],
)
def test_common_passwords_are_recognised_ignoring_case(password: str, *, common: bool) -> None:
    assert is_common_password(password) is common
