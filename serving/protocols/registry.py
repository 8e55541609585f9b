"""The protocols that the service speaks, one line for each."""

from serving.protocols import mlflow, oip, typed_rows
from serving.protocols.protocol import Protocol
from serving.requests.errors import ErrorFormat, problem_details

PROTOCOLS: tuple[Protocol, ...] = (
    typed_rows.PROTOCOL,
    mlflow.PROTOCOL,
    oip.PROTOCOL,
)


def error_format(path: str) -> ErrorFormat:
    """The form of errors at a path that no protocol's route answers."""
    for protocol in PROTOCOLS:
        if protocol.error_prefix and path.startswith(protocol.error_prefix):
            return protocol.error
    return problem_details
