"""The protocols that the service speaks, one line for each."""

from serving.protocols import mlflow, oip, typed_rows
from serving.protocols.protocol import Protocol

PROTOCOLS: tuple[Protocol, ...] = (
    typed_rows.PROTOCOL,
    mlflow.PROTOCOL,
    oip.PROTOCOL,
)
