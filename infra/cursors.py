"""List cursors: opaque to callers, and signed, so that only cursors issued by this service are accepted."""

import base64
import hmac
from collections.abc import Callable
from hashlib import sha256

_SIGNATURE_BYTES = 16
_MAX_LENGTH = 1024


class InvalidCursorError(Exception):
    """A cursor that this service did not issue, or issued for another list."""

    def __init__(self) -> None:
        super().__init__("The cursor was not issued for this list.")


class Cursors:
    """Signs and verifies the cursors of all lists with one secret, which is read when it is first needed."""

    def __init__(self, secret: Callable[[], bytes]) -> None:
        self._secret = secret

    def seal(self, scope: str, position: str) -> str:
        """Return a signed cursor for `position` in the list `scope`."""
        position_bytes = position.encode()
        sealed = self._signature(scope, position_bytes) + position_bytes
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(self, scope: str, cursor: str) -> str:
        """Return the position in the list `scope` that `cursor` contains.

        Raises:
            InvalidCursorError: the cursor was not signed by this service for this list.
        """
        if len(cursor) > _MAX_LENGTH:
            raise InvalidCursorError
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except ValueError as error:
            raise InvalidCursorError from error
        signature, position = sealed[:_SIGNATURE_BYTES], sealed[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(scope, position)):
            raise InvalidCursorError
        # Base64 has several spellings of the same bytes; only the spelling that was issued is accepted.
        if base64.urlsafe_b64encode(sealed).rstrip(b"=").decode() != cursor:
            raise InvalidCursorError
        return position.decode()

    def _signature(self, scope: str, position: bytes) -> bytes:
        return hmac.digest(self._secret(), f"cursor:{scope}:".encode() + position, sha256)[:_SIGNATURE_BYTES]
