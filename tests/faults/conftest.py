"""What the fault tests of the service share: one registry, and a use case of each test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.shop import Case, Shop
from tests.support.small import SMALL, client_of, register, save_model
from tests.support.store import Store, running_store


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    client_of(folder).search_registered_models()
    return Shop(folder, (save_model(folder / "even"), save_model(folder / "odd", "bbaa")))


@pytest.fixture
def case(shop: Shop, home: Path) -> Case:
    name = home.name.replace("_", "-")
    use_case = home / f"{name}.yaml"
    use_case.write_text(SMALL.replace("name: small", f"name: {name}"), encoding="utf-8")
    return Case(shop, home, register(client_of(shop.folder), name, home), use_case)


@pytest.fixture
def store(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Running, and known to this process too."""
    with running_store(home / "store", monkeypatch) as store:
        yield store
