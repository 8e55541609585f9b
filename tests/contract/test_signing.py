"""Signatures: what counts as signed, by which keys, and what is said of a key that is none."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from contract.errors import BadInput
from contract.signing import check_keys, sign, unsigned
from tests.support.keys import key_pair

ONE, TWO = key_pair(), key_pair()
OTHER_KIND = (
    X25519PrivateKey.generate()
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)
SAID = ("version", "penguins", "3", "digest")
SIGNED = sign(ONE.private, *SAID)


@pytest.mark.parametrize(
    ("keys", "signature", "said", "why"),
    [
        (ONE.public, SIGNED, SAID, ""),
        (TWO.public + ONE.public, SIGNED, SAID, ""),  # while one key takes over from another
        ("", "", SAID, ""),  # nobody asks for one
        (ONE.public, "", SAID, "it is not signed"),
        (TWO.public, SIGNED, SAID, "of another key"),
        (ONE.public, SIGNED, ("version", "penguins", "4", "digest"), "of something else"),
        (ONE.public, SIGNED, ("version", "penguins", "3digest"), "of something else"),
        (ONE.public, SIGNED[4:], SAID, "of something else"),
        (ONE.public, "no base64!", SAID, "of something else"),
    ],
    ids=[  # the keys are others in every process
        "signed",
        "by one of two keys",
        "nobody asks",
        "unsigned",
        "by another key",
        "of another version",
        "of other parts",
        "cut",
        "no base64",
    ],
)
def test_what_counts_as_signed(keys: str, signature: str, said: tuple[str, ...], why: str) -> None:
    found = unsigned(keys, signature, *said)
    assert why in found
    assert bool(found) == bool(why)


def test_a_key_may_be_a_file(tmp_path: Path) -> None:
    private, public = tmp_path / "sign.pem", tmp_path / "verify.pem"
    private.write_text(ONE.private)
    public.write_text(ONE.public)
    assert unsigned(str(public), sign(str(private), *SAID), *SAID) == ""


@pytest.mark.parametrize(
    "key",
    ["nowhere.pem", "-----BEGIN PRIVATE KEY-----\nAAAA", ONE.public, OTHER_KIND],
    ids=["no file", "no key", "a public one", "of another kind"],
)
def test_a_key_that_is_none_is_said_without_it(key: str) -> None:
    with pytest.raises(BadInput, match="FOURCYCLE_SIGN_KEY holds no private key") as failed:
        sign(key, *SAID)
    assert key not in str(failed.value)
    assert failed.value.__cause__ is None


@pytest.mark.parametrize(
    "key",
    ["nowhere.pem", ONE.private, ONE.public.replace("M", "?")],
    ids=["no file", "a private one", "damaged"],
)
def test_a_public_key_that_is_none_is_said(key: str) -> None:
    with pytest.raises(BadInput, match="FOURCYCLE_VERIFY_KEY holds no public key"):
        unsigned(key, SIGNED, *SAID)


def test_keys_are_checked_before_any_work() -> None:
    for private, public in (
        ("", ""),
        (ONE.private, ""),
        ("", ONE.public),
        (ONE.private, ONE.public),
    ):
        check_keys(private, public)
    with pytest.raises(BadInput, match="is not the private half of a key"):
        check_keys(ONE.private, TWO.public)
    with pytest.raises(BadInput, match="FOURCYCLE_VERIFY_KEY holds no public key"):
        check_keys("", "nowhere.pem")


def test_without_a_key_nothing_is_signed() -> None:
    assert sign("", *SAID) == ""
