"""Password hashing with argon2id and OWASP's minimum parameters: 19 MiB and 2 passes.

Imported bcrypt hashes are verified too, and replaced at the next login. The libraries are imported with the first
password, since most requests contain none.
"""

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pwdlib import PasswordHash

_MEMORY_KIB = 19 * 1024
_PASSES = 2
_BCRYPT_READS_BYTES = 72

# The hash of a password that no user has; with the same parameters, so that verifying it takes equally long.
_DUMMY_HASH = (
    "$argon2id$v=19$m=19456,t=2,p=1$Ag/QKh+ClSsRgM0y2XRWmQ$gXP/I2+Jr8ofpW1FNbA5+Kd8RTTj1CUyb7apxvaGJjE"
)


class Verification(NamedTuple):
    """Whether a password is right, and a new hash to store if the present one is outdated."""

    right: bool
    new_hash: str | None = None


@cache
def _hashes() -> "PasswordHash":
    from pwdlib import PasswordHash  # noqa: PLC0415 - see above
    from pwdlib.hashers.argon2 import Argon2Hasher  # noqa: PLC0415

    return PasswordHash((Argon2Hasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=1),))


def hash_password(password: str) -> str:
    """Return the hash to store."""
    return _hashes().hash(password)


def verify_password(password: str, stored: str | None) -> Verification:
    """Check `password` against a `stored` hash; None, for an unknown user, takes equally long and always fails."""
    if stored is not None and stored.startswith("$2"):
        return _verify_bcrypt(password, stored)
    right, new_hash = _hashes().verify_and_update(password, stored or _DUMMY_HASH)
    return Verification(right and stored is not None, new_hash)


def _verify_bcrypt(password: str, stored: str) -> Verification:
    from pwdlib.hashers.bcrypt import BcryptHasher  # noqa: PLC0415 - see above

    # bcrypt uses only the first 72 bytes; its library refuses longer passwords, which it used to cut off.
    read = password.encode()[:_BCRYPT_READS_BYTES]
    if not BcryptHasher.identify(stored) or not BcryptHasher().verify(read, stored):
        return Verification(right=False)
    return Verification(right=True, new_hash=hash_password(password))
