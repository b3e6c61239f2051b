import bcrypt
import pytest

from infra.users.passwords import hash_password, verify_password


def of_bcrypt(password: bytes) -> str:
    return bcrypt.hashpw(password, bcrypt.gensalt(4)).decode()


def test_a_hash_is_argon2id_with_19_mebibytes_and_two_passes() -> None:
    stored = hash_password("correct horse")

    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hash_password("correct horse") != stored
    assert verify_password("correct horse", stored) == (True, None)
    assert verify_password("Correct horse", stored) == (False, None)


def test_the_dummy_hash_costs_the_same_and_matches_no_password() -> None:
    from infra.users.passwords import _DUMMY_HASH  # noqa: PLC0415

    assert _DUMMY_HASH.rpartition("$")[0].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert verify_password("correct horse", None) == (False, None)


def test_a_weaker_hash_is_valid_and_is_replaced() -> None:
    from pwdlib.hashers.argon2 import Argon2Hasher  # noqa: PLC0415

    weak = Argon2Hasher(time_cost=1, memory_cost=1024, parallelism=1).hash("correct horse")

    right, new_hash = verify_password("correct horse", weak)

    assert right
    assert new_hash is not None
    assert verify_password("correct horse", new_hash) == (True, None)


@pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2y$"])
def test_a_bcrypt_hash_is_valid_and_is_replaced(prefix: str) -> None:
    stored = prefix + of_bcrypt(b"correct horse")[4:]

    right, new_hash = verify_password("correct horse", stored)

    assert right
    assert str(new_hash).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert verify_password("wrong", stored) == (False, None)


def test_bcrypt_uses_only_the_first_72_bytes_of_a_password() -> None:
    stored = of_bcrypt(b"x" * 72)

    assert verify_password("x" * 100, stored).right
    assert not verify_password("y" * 100, stored).right


@pytest.mark.parametrize("odd", ["\0", "a\0b", "é" * 100, "🔑", " "])
def test_unusual_passwords_are_just_wrong(odd: str) -> None:
    assert not verify_password(odd, of_bcrypt(b"correct horse")).right
    assert not verify_password(odd, hash_password("correct horse")).right
    assert verify_password(odd, hash_password(odd)).right


@pytest.mark.parametrize("damaged", ["$2b$", "$2b$12$short"])
def test_a_damaged_hash_matches_no_password(damaged: str) -> None:
    assert not verify_password("correct horse", damaged).right
