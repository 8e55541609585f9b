"""The webhook's signature after Standard Webhooks (https://www.standardwebhooks.com), version 1.

HMAC-SHA256 over id, time of sending and body: a stranger can't make one, and a receiver that looks
at the time can't be fooled with an old one.
"""

import base64
import hmac
from collections.abc import Mapping

PREFIX = "whsec_"
KEY_BYTES = range(24, 65)


def read_key(secret: str) -> bytes:
    """The key in a secret like `whsec_<base64>`; empty when it is none."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:
        return b""
    return key if secret.startswith(PREFIX) and len(key) in KEY_BYTES else b""


def signed_headers(key: bytes, id_: str, at: int, body: bytes) -> Mapping[str, str]:
    """Headers of a delivery; `at` is the time of sending, seconds since 1970."""
    content = b".".join((id_.encode(), str(at).encode(), body))
    signature = base64.b64encode(hmac.digest(key, content, "sha256")).decode()
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{signature}",
    }
