"""Signs requests: HMAC-SHA256 with a shared secret, or Ed25519 with a private key, which may log a connection on once."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from vtframe.errors import ConfigError, Fault
from vtframe.secret import Secret

_BEGIN = "-----BEGIN"


class Signer:
    """One account's API key and its secret. Which of the two kinds the secret is, its text tells: a private key is PEM."""

    __slots__ = ("_key", "_secret", "logs_on", "sign")

    def __init__(self, key: Secret, secret: Secret) -> None:
        """Raises ConfigError where the secret looks like a private key and is none of Ed25519."""
        self._key = key
        self._secret = secret
        self.logs_on = secret.reveal().lstrip().startswith(_BEGIN)
        """Whether a connection can be logged on (Ed25519 only); each request is signed otherwise."""
        self.sign: Callable[[str], str] = _ed25519(secret) if self.logs_on else _hmac_sha256(secret)
        """The signature of a text: hexadecimal (HMAC) or base64 (Ed25519)."""

    @property
    def key(self) -> str:
        """The API key, which goes with every signed request."""
        return self._key.reveal()

    def signed(self, params: Mapping[str, str | int]) -> dict[str, str | int]:
        """``params`` of a WebSocket request with key and signature: signed in alphabetical order."""
        whole: dict[str, str | int] = dict(sorted({**params, "apiKey": self.key}.items()))
        whole["signature"] = self.sign(urlencode(whole))
        return whole

    def query(self, params: Mapping[str, str | int]) -> str:
        """``params`` of a REST request as a query with its signature."""
        query = urlencode(params)
        return f"{query}&{urlencode({'signature': self.sign(query)})}"

    def scrubbed(self, text: str) -> str:
        """``text`` without the key and the secret, should somebody have repeated them."""
        for secret in (self._key, self._secret):
            text = text.replace(secret.reveal(), "***")
        return text

    def __repr__(self) -> str:
        return "Signer(...)"


def _hmac_sha256(secret: Secret) -> Callable[[str], str]:
    keyed = hmac.new(secret.reveal().encode(), digestmod=hashlib.sha256)

    def sign(text: str) -> str:
        one = keyed.copy()  # the key is hashed once
        one.update(text.encode())
        return one.hexdigest()

    return sign


def _ed25519(secret: Secret) -> Callable[[str], str]:
    def fault(problem: str, hint: str) -> ConfigError:
        return ConfigError(Fault(key="secret", problem=problem, hint=hint))

    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415
    except ImportError:
        hint = "pip install 'vtframe[ed25519]', or use an HMAC key"
        raise fault("is a private key, which needs the library cryptography, which is not installed", hint) from None
    pem = secret.reveal().replace("\\n", "\n").encode()  # in environment variables lines are often joined
    try:
        private = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):  # what was found is not told: it is a secret
        raise fault(
            "is no private key that can be read (PEM, without a password)", "openssl genpkey -algorithm ed25519"
        ) from None
    if not isinstance(private, Ed25519PrivateKey):
        raise fault(f"is a private key of another kind ({type(private).__name__})", "Binance takes Ed25519 for session.logon")
    signature = private.sign
    return lambda text: base64.b64encode(signature(text.encode())).decode()
