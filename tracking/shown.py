"""What the registry shows of a model: its aliases, and how far it has followed the ledger."""

from mlflow import MlflowClient, MlflowException

from contract.store.ledger import ShownRegistry
from tracking.store import is_absent
from tracking.tags import LEDGER_TAG


def shown_registry(client: MlflowClient, name: str) -> ShownRegistry:
    """Of the registered model `name`; nothing where it is not registered yet."""
    try:
        model = client.get_registered_model(name)
    except MlflowException as error:
        if is_absent(error):
            return ShownRegistry()
        raise
    aliases = {str(alias): str(number) for alias, number in model.aliases.items()}
    return ShownRegistry(aliases, str(model.tags.get(LEDGER_TAG, "")))
