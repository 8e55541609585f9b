"""Secrets for the shared training, and where any of them has come to stand."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.keys import key_pair

KEY = key_pair()
SECRETS: Mapping[str, str] = {
    "FOURCYCLE_SIGN_KEY": KEY.private,
    "FOURCYCLE_LOG_SECRET": "a-log-secret-that-nobody-may-see",
    "FOURCYCLE_ALERT_SMTP_PASSWORD": "a-mail-password-that-nobody-may-see",
    "MLFLOW_TRACKING_PASSWORD": "a-tracking-password-that-nobody-may-see",
    "AWS_SECRET_ACCESS_KEY": "a-bucket-key-that-nobody-may-see",
    "POSTGRES_PASSWORD": "a-database-password-that-nobody-may-see",
}


def set_secrets(patch: pytest.MonkeyPatch) -> None:
    """Put all of them into the environment."""
    for name, value in SECRETS.items():
        patch.setenv(name, value)


def needles(secrets: Mapping[str, str] = SECRETS) -> dict[str, bytes]:
    """What to look for: of a PEM its second line, which is the key."""
    lines = {name: value.strip().split("\n") for name, value in secrets.items()}
    return {name: (parts[1:2] or parts)[0].encode() for name, parts in lines.items()}


def found_in(folder: Path, wanted: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """Each secret in a file below a folder, with the file."""
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = file.read_bytes()
        for name, needle in wanted.items():
            if needle in content:
                yield name, str(file.relative_to(folder))
