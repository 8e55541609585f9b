"""The schema of MLflow's database: which it is, which is needed here, and the way between them."""

from dataclasses import dataclass

from mlflow import MlflowException
from sqlalchemy import Engine

from contract.errors import BadInput, FourcycleError, Refused

OUT_OF_DATE = "out-of-date database schema"  # how MLflow says that it is another one than it needs


@dataclass(frozen=True)
class SchemaRevision:
    """Where a database stands, by the names of MLflow's own migrations."""

    found: str
    needed: str
    known: bool  # whether this MLflow has a migration of that name

    @property
    def current(self) -> bool:
        """Whether nothing has to be done."""
        return self.found == self.needed


def revision(engine: Engine) -> SchemaRevision:
    """Where the database of an engine stands."""
    from alembic.runtime.migration import MigrationContext

    with engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision() or ""
    return _placed(found)


def migrate(engine: Engine) -> None:
    """Bring a database to the schema that this MLflow needs; `mlflow db upgrade` does the same.

    Refused where a newer MLflow has made it. Only one process may do this at a time.
    """
    from mlflow.store.db.utils import _upgrade_db

    at = revision(engine)
    if not at.known:
        raise _from_the_future(at.found)
    if not at.current:
        _upgrade_db(engine)


def schema_trouble(error: MlflowException) -> FourcycleError | None:
    """What MLflow's refusal of a database means for a person; None for other errors."""
    _, said, rest = str(error).partition(OUT_OF_DATE)
    if not said:
        return None
    at = _placed(rest.partition("found version ")[2].partition(",")[0])
    if not at.known:
        return _from_the_future(at.found)
    return BadInput(
        f"The tracking database has the schema {at.found} of an older release, {at.needed} is "
        "needed: make a copy (fourcycle backup), then fourcycle upgrade."
    )


def _placed(found: str) -> SchemaRevision:
    from alembic.script import ScriptDirectory
    from mlflow.store.db.utils import _get_alembic_config, _get_latest_schema_revision

    script = ScriptDirectory.from_config(_get_alembic_config(db_url=""))
    known = {migration.revision for migration in script.walk_revisions()}
    return SchemaRevision(found, _get_latest_schema_revision(), not found or found in known)


def _from_the_future(found: str) -> Refused:
    return Refused(
        f"The tracking database has the schema {found}, which the MLflow installed here does not "
        "know: a newer release has made it, and only that one or a later one opens it."
    )
