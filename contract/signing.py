"""Signatures: Ed25519 (RFC 8032) by a key that only jobs hold, over a list of texts.

Who can write to a registry, a table or a bucket can write digests and hashes there too. A signature
only comes from the key. docs/decisions says why not OpenSSF model signing.
"""

import base64
import json
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from contract.errors import BadInput

BEGIN, END = "-----BEGIN", "-----END PUBLIC KEY-----"
CHECK = "check"
SIGN, VERIFY = "FOURCYCLE_SIGN_KEY", "FOURCYCLE_VERIFY_KEY"


def sign(key: str, *said: str) -> str:
    """The signature of texts in base64, "" without a key; BadInput where the key is none.

    `key` is a private key in PEM, or a file with one.
    """
    if not key:
        return ""
    return base64.b64encode(_private(key).sign(_payload(said))).decode()


def unsigned(keys: str, signature: str, *said: str) -> str:
    """Why texts do not count as signed, "" where they do, or where no key is asked for.

    `keys` are public keys in PEM one after the other, or a file with them: the next one is added
    before the old one goes. BadInput where they are none.
    """
    if not keys:
        return ""
    known = _public(keys)
    if not signature:
        return f"it is not signed, and {VERIFY} is set"
    if any(_signed(key, signature, said) for key in known):
        return ""
    return f"its signature is of another key or of something else than {VERIFY} asks for"


def check_keys(key: str, keys: str) -> None:
    """BadInput where a key is none, or where what is signed here would be refused here."""
    signature = sign(key, CHECK)
    refused = unsigned(keys, signature, CHECK)
    if key and refused:
        raise BadInput(f"{SIGN} is not the private half of a key in {VERIFY}; one of them is old.")


def _payload(said: tuple[str, ...]) -> bytes:
    """Texts so that no two lists of them are the same bytes."""
    return json.dumps(["fourcycle", *said]).encode()


def _signed(key: Ed25519PublicKey, signature: str, said: tuple[str, ...]) -> bool:
    try:
        key.verify(base64.b64decode(signature, validate=True), _payload(said))
    except (InvalidSignature, ValueError):
        return False
    return True


@cache
def _private(key: str) -> Ed25519PrivateKey:
    try:
        found = load_pem_private_key(_pem(key), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _no_key(SIGN, "private", error) from None  # the cause may hold the key
    if not isinstance(found, Ed25519PrivateKey):
        raise _no_key(SIGN, "private", TypeError())
    return found


@cache
def _public(keys: str) -> tuple[Ed25519PublicKey, ...]:
    try:
        parts = _pem(keys).decode().split(END)[:-1]
        found = [load_pem_public_key((part.strip() + "\n" + END).encode()) for part in parts]
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise _no_key(VERIFY, "public", error) from None
    kept = tuple(key for key in found if isinstance(key, Ed25519PublicKey))
    if not kept or len(kept) < len(found):
        raise _no_key(VERIFY, "public", TypeError())
    return kept


def _pem(key: str) -> bytes:
    if key.lstrip().startswith(BEGIN):
        return key.strip().encode()
    return Path(key).expanduser().read_bytes().strip()


def _no_key(setting: str, kind: str, error: Exception) -> BadInput:
    return BadInput(
        f"{setting} holds no {kind} key of Ed25519 ({type(error).__name__}): PEM text or a file "
        "with it is needed; docs/releases.md says how to make one."
    )
