"""Which run a version leads back to, whenever it was registered."""

import pytest

from pipelines.registry.versions import Version

TAGS = {"train_run": "trained", "package_run": "packaged"}


@pytest.mark.parametrize(
    ("run_id", "tags"),
    [("packaged", TAGS), ("trained", TAGS), ("trained", {})],
    ids=["of its package", "of its training, and a tag", "of its training alone"],
)
def test_a_version_leads_to_the_run_that_trained_it(run_id: str, tags: dict[str, str]) -> None:
    assert Version("1", "Production", run_id, "", tags).train_run == "trained"
