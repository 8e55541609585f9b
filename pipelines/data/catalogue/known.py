"""Which use cases a store knows, and what is declared of each: today's file, or the newest copy."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from contract.errors import FourcycleError
from contract.names import CHAMPION, USE_CASE_FILE, Cycle
from contract.use_case.loader import SHIPPED, load_use_case, parse_frozen
from contract.use_case.model import UseCase
from pipelines.runtime.keeping.table_copies import use_cases as with_tables
from tracking.tags import LEDGER_TAG, PACKAGE_TAG

if TYPE_CHECKING:  # MLflow takes seconds to import, and files of today answer most questions
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

NAME = re.compile(r"^[a-z][a-z0-9_-]{0,62}$")  # of a use case
PAGE = 1000  # experiments or models that MLflow is asked for at once


@dataclass(frozen=True)
class KnownUseCase:
    """A use case by what its file says today and by what its versions were made with."""

    name: str
    today: UseCase | None = None  # None: no file of it is at hand, or it can't be read
    frozen: UseCase | None = None  # the copy in the package of the champion, else of the newest
    trouble: str = ""  # why the file of today can't be read

    @property
    def declared(self) -> UseCase | None:
        """What holds of it now, as far as anybody can tell."""
        return self.today or self.frozen

    def personal(self, column: str) -> bool:
        """Whether a column is personal by today's file or by the copy: rows are as old as either.

        Where nothing can be read of a use case, any column may be.
        """
        if self.declared is None:
            return True
        found = [d.columns[column] for d in (self.today, self.frozen) if d and column in d.columns]
        return any(column.personal for column in found)


def names_in(client: "MlflowClient", root: str) -> list[str]:
    """Names of all use cases that have an experiment, a registered model or a table."""
    found = {*with_tables(root), *_of_experiments(client), *_of_models(client)}
    return sorted(name for name in found if NAME.match(name))


def known(name: str, client: "MlflowClient | None" = None, reference: str = "") -> KnownUseCase:
    """What is declared of a use case: by its file, which `reference` may name, and by MLflow.

    Never an error of ours: what can't be read is told in `trouble`.
    """
    today, trouble = None, ""
    if reference or (SHIPPED / f"{name}.yaml").is_file():
        try:
            today = load_use_case(reference or name)
        except FourcycleError as error:
            trouble = " ".join(str(error).split())
    frozen = _frozen(client, name) if client else None
    return KnownUseCase(name, today, frozen, trouble)


def all_versions(client: "MlflowClient", name: str) -> "Iterator[ModelVersion]":
    """Every registered version of a use case."""
    token: str | None = None
    while token != "":
        page = client.search_model_versions(f"name = '{name}'", page_token=token)
        yield from page
        token = page.token or ""


def _frozen(client: "MlflowClient", name: str) -> UseCase | None:
    """The copy that a version was made with; None where no version holds one that can be read."""
    import mlflow

    try:
        version = _version(client, name)
        if version is None:
            return None
        source = client.get_model_version_download_uri(name, version.version)
        text = mlflow.artifacts.load_text(f"{source}/{USE_CASE_FILE}")
        return parse_frozen(text, Path.cwd())
    except (mlflow.MlflowException, OSError, ValueError, FourcycleError):
        return None  # it is gone, damaged or hidden: then there is no copy


def _version(client: "MlflowClient", name: str) -> "ModelVersion | None":
    found = client.search_registered_models(f"name = '{name}'", max_results=1)
    if not found:
        return None
    if champion := found[0].aliases.get(CHAMPION):
        return client.get_model_version(name, champion)
    return max(all_versions(client, name), key=lambda v: int(v.version), default=None)


def _of_experiments(client: "MlflowClient") -> Iterator[str]:
    token: str | None = None
    while token != "":
        page = client.search_experiments(max_results=PAGE, page_token=token)
        for experiment in page:
            name, _, cycle = experiment.name.rpartition("/")
            if cycle in get_args(Cycle):
                yield name
        token = page.token or ""


def _of_models(client: "MlflowClient") -> Iterator[str]:
    """Models of ours: others may stand in the same registry."""
    token: str | None = None
    while token != "":
        page = client.search_registered_models(max_results=100, page_token=token)
        for model in page:
            newest = model.latest_versions or []
            if LEDGER_TAG in model.tags or any(PACKAGE_TAG in v.tags for v in newest):
                yield model.name
        token = page.token or ""
