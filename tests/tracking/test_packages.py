"""A package that is gone, and one that lacks a part of itself."""

from pathlib import Path

import pytest
from mlflow import MlflowException

from tests.serving.log.test_log import no_file_larger_than
from tracking.packages import PackageGone, download


def test_a_package_that_lacks_a_part_is_not_gone(home: Path) -> None:
    (home / "package").mkdir()
    (home / "package" / "manifest.json").write_text("{}")
    address = (home / "package").as_uri()
    (home / "into").mkdir()
    found = download(address, str(home / "into"), "1", ("manifest.json",))
    assert [file.name for file in found.iterdir()] == ["manifest.json"]
    with pytest.raises(FileNotFoundError, match="the package lacks reference"):
        download(address, str(home / "into"), "1", ("reference",))
    with pytest.raises(PackageGone):
        download((home / "elsewhere").as_uri(), str(home / "into"), "1")


def test_a_package_that_a_full_disk_does_not_take_is_not_gone(home: Path) -> None:
    (home / "package").mkdir()
    (home / "package" / "manifest.json").write_text("{}" * 1000)
    (home / "into").mkdir()
    with (
        no_file_larger_than(600),
        pytest.raises((MlflowException, OSError), match="File too large"),
    ):
        download((home / "package").as_uri(), str(home / "into"), "1")
