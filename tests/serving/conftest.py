"""Parts that several tests of the service share."""

from pathlib import Path

import mlflow
import pytest

from pipelines.main import Outcome


@pytest.fixture(scope="session")
def package(trained: tuple[Path, Outcome], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the trained champion; read it only."""
    uri = f"sqlite:///{trained[0]}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    folder = tmp_path_factory.mktemp("package")
    found = mlflow.artifacts.download_artifacts("models:/penguins@champion", dst_path=str(folder))
    return Path(found)
