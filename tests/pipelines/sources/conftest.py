"""Servers that sources are read from."""

from collections.abc import Iterator

import pytest

from tests.support import mysql as server
from tests.support.store import Store


@pytest.fixture(scope="session")
def mysql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real MariaDB server with an empty database."""
    if not server.installed():
        pytest.skip("no MariaDB server here: sh scripts/debian installs it, as .ci/run does")
    with server.running(tmp_path_factory.mktemp("mysql")) as address:
        yield address


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A real S3 server with a bucket `tables`."""
    made = Store(tmp_path_factory.mktemp("s3") / "store")
    made.start()
    yield made
    made.kill()


@pytest.fixture
def s3(store: Store, monkeypatch: pytest.MonkeyPatch) -> str:
    """Address in the bucket, the environment that opens it set."""
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    return "s3://tables/sources"
