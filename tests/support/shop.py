"""A registry for the fault tests, and packages whose answers tell them apart."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.follower import Follower
from serving.scoring.cache import Cache
from serving.scoring.pointer import LedgerReader
from tests.support.small import Registry, check_here, pack

BODY: dict[str, Any] = {"rows": [{"size": 0}, {"size": 10}]}
ANSWERS = (["a", "b"], ["b", "a"])  # of even and of odd packages to BODY


@dataclass(frozen=True)
class Shop:
    """A registry in a folder, and two models that answer the opposite of each other."""

    folder: Path
    models: tuple[Path, Path]

    @property
    def uri(self) -> str:
        """Its address without a server."""
        return f"sqlite:///{self.folder}/mlflow.db"


@dataclass(frozen=True)
class Case:
    """A use case of a test's own: registered, and with packages as many as it likes."""

    shop: Shop
    folder: Path
    registry: Registry
    use_case: Path

    def package(self, which: int) -> Path:
        """A sealed package; even ones answer a for size 0 and b for 10, odd ones the opposite."""
        there = self.folder / f"package{which}"
        text = self.use_case.read_text(encoding="utf-8")
        return there if there.exists() else pack(self.shop.models[which % 2], there, text)

    def warm(self) -> None:
        """Do what a follower would have done before: the champion is in the cache."""
        cache = Cache(self.folder / "cache" / self.registry.name)
        registry, point = self.registry, LedgerReader(self.registry.tables, self.registry.name)
        Follower(lambda: registry.client, cache, registry.name, point, check=check_here).look()

    def promote(self, which: int) -> str:
        """Register a package and make it the champion; the number of its version."""
        return self.registry.promote(self.package(which))
