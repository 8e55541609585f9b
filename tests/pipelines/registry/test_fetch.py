"""A registered version's package is read only where the registry knows its digest."""

import shutil
from pathlib import Path

import pytest

from contract.errors import Refused
from contract.package import verify
from pipelines.package import seal
from pipelines.registry.fetch import fetch
from pipelines.registry.versions import Version
from pipelines.runtime.code_hash import PROJECT
from tracking.tags import PACKAGE_TAG


def package(folder: Path) -> tuple[Path, str]:
    """A sealed folder, and its digest."""
    for name in ("use_case.yaml", "reference/figures.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    return folder, seal(folder)


def version_of(folder: Path, **tags: str) -> Version:
    return Version("1", "Staging", "", str(folder), tags)


def test_what_was_registered_is_fetched(home: Path) -> None:
    folder, digest = package(home / "package")
    found = fetch(version_of(folder, **{PACKAGE_TAG: digest}), home / "into")
    assert (found / "use_case.yaml").read_text() == "{}"


def test_what_was_changed_since_is_refused_whatever_its_manifest_says(home: Path) -> None:
    folder, digest = package(home / "package")
    (folder / "use_case.yaml").write_text("{a: b}")
    with pytest.raises(Refused, match=r"differing: use_case\.yaml"):
        fetch(version_of(folder, **{PACKAGE_TAG: digest}), home / "one")
    seal(folder)
    with pytest.raises(Refused, match=f"not the one that was registered.* {digest[:12]}"):
        fetch(version_of(folder, **{PACKAGE_TAG: digest}), home / "two")
    with pytest.raises(Refused, match="without the tag package_digest"):
        fetch(version_of(folder), home / "three")


def test_parts_of_a_package_are_compared_alone(home: Path) -> None:
    folder, digest = package(home / "package")
    shutil.rmtree(folder / "reference")
    assert verify(folder, digest, ("use_case.yaml",)) == digest
    with pytest.raises(Refused, match=r"differing: reference/figures\.json"):
        verify(folder, digest, ("use_case.yaml", "reference"))


def test_nobody_else_downloads_a_package() -> None:
    """`package` and `fitted` read what a training run logged, before it is registered."""
    loading = {
        path.stem
        for path in (PROJECT / "pipelines").rglob("*.py")
        if "download_artifacts" in path.read_text(encoding="utf-8")
    }
    assert loading == {"fitted", "package"}
