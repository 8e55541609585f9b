"""MLflow's database, spoken to without MLflow: what it is, and a connection to it."""

import sqlalchemy
from sqlalchemy import Engine

from contract.addresses import SQLITE, sqlite_file
from contract.errors import BadInput
from contract.settings import Settings
from tracking.database import POSTGRESQL, await_database


def engine_of(settings: Settings) -> Engine:
    """An engine of the tracking database; BadInput where there is none to be spoken to here."""
    uri = settings.store_uri
    if uri.startswith(SQLITE):
        if not sqlite_file(uri).is_file():
            raise BadInput(f"There is no store in {settings.home}: {sqlite_file(uri)} is missing.")
    elif uri.startswith(POSTGRESQL):
        await_database(uri, settings.store_wait_s)
    else:
        raise BadInput(
            "This speaks to the tracking database itself, not to a server: MLFLOW_TRACKING_URI "
            "must name what the server was started with, e.g. postgresql://... or sqlite:///..."
        )
    return sqlalchemy.create_engine(uri)
