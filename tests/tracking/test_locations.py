"""Whether a location is this store's, another store's, or somebody's choice."""

from pathlib import Path

import pytest

from contract.errors import BadInput
from contract.settings import Settings, read_settings
from tracking.locations import check_location, foreign_home


@pytest.fixture
def settings(home: Path) -> Settings:
    here = home / "here"
    here.mkdir()
    (here / "mlflow.db").touch()
    return read_settings().model_copy(update={"tracking_uri": f"sqlite:///{here}/mlflow.db"})


# Location, what stands in the folder `there`, whether the location belongs to a store there.
CASES = [
    ("{home}/here/mlruns/1", (), False),
    ("file://{home}/here/mlruns/1", (), False),
    ("file://{home}/there/mlruns/1", (), True),  # moved
    ("{home}/there/mlruns/1", (), True),
    ("file://{home}/there/mlruns/1", ("mlruns/1", "mlflow.db"), True),  # copied
    ("file://{home}/there/mlruns/1", ("mlruns/1",), False),  # artifacts alone: chosen
    ("file://{home}/there/artifacts/1", (), False),  # no name of ours
    ("s3://there/mlruns/1", (), False),
    ("mlflow-artifacts:/1", (), False),
    ("file://other.example.org{home}/there/mlruns/1", (), False),
]


@pytest.mark.parametrize(("location", "there", "foreign"), CASES)
def test_a_location_belongs_to_a_store_that_was_there(
    settings: Settings, home: Path, location: str, there: tuple[str, ...], foreign: bool
) -> None:
    for name in there:
        (home / "there" / name).mkdir(parents=True)
    found = foreign_home(location.format(home=home), settings)
    assert found == (home / "there" if foreign else None)


def test_a_folder_behind_a_link_is_this_store_s(settings: Settings, home: Path) -> None:
    (home / "link").symlink_to(home / "here")
    (home / "here" / "mlruns").symlink_to(home / "elsewhere")
    for location in (home / "link/mlruns/1", home / "here/mlruns/1"):
        assert foreign_home(location.as_uri(), settings) is None


def test_no_other_store_than_sqlite_has_a_folder(settings: Settings) -> None:
    server = settings.model_copy(update={"tracking_uri": "http://127.0.0.1:5000"})
    assert foreign_home("file:///there/mlruns/1", server) is None


def test_the_sentence_names_both_folders_and_the_command(settings: Settings, home: Path) -> None:
    with pytest.raises(BadInput, match="fourcycle relocate") as refused:
        check_location(f"file://{home}/there/mlruns/1", settings)
    assert str(home / "there") in str(refused.value)
    assert str(home / "here") in str(refused.value)
