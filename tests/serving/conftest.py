"""Parts that several tests of the service share."""

from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from pipelines.main import Outcome
from tests.support.running import app_of, current_of, running


@pytest.fixture(scope="session")
def package(trained: tuple[Path, Outcome], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the trained champion; read it only."""
    uri = f"sqlite:///{trained[0]}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    folder = tmp_path_factory.mktemp("package")
    found = mlflow.artifacts.download_artifacts("models:/penguins@champion", dst_path=str(folder))
    return Path(found)


@pytest.fixture(scope="session")
def address(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The trained penguins behind the application, with small limits."""
    folder = tmp_path_factory.mktemp("address")
    app = app_of(current_of(package, folder), folder, serve_max_rows=100, serve_max_bytes=100_000)
    with running(app) as found:
        yield found
