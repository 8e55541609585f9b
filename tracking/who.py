"""Who acts: whom MLflow's server knows by these credentials, and what an environment claims."""

import os
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from contract.errors import BadInput, Unavailable
from contract.settings import Settings

CURRENT_USER = "/api/2.0/mlflow/users/current"
UNPROVEN = "unproven"
UNAUTHENTICATED, DENIED = "UNAUTHENTICATED", "PERMISSION_DENIED"
ENDPOINT = re.compile(r"/api/[\w./-]+")


@dataclass(frozen=True)
class Actor:
    """Who acts. `user` is proven by the server, "" where nobody is; `claim` is not."""

    user: str
    claim: str

    @property
    def proven(self) -> bool:
        """Whether somebody else than the environment says so."""
        return bool(self.user)

    @property
    def name(self) -> str:
        """The proven user, else the claim."""
        return self.user or self.claim

    @property
    def note(self) -> str:
        """The claim, where it stands beside a proven user and says something else."""
        return self.claim if self.user and self.claim != self.user else ""


def actor_of(settings: Settings) -> Actor:
    """Whom the tracking server knows by the credentials of this process.

    A database and a server without sign-in prove nobody. BadInput where the server does not take
    the credentials, Unavailable where it does not answer.
    """
    user = _current_user(settings.store_uri) if settings.store_uri.startswith("http") else ""
    return Actor(user, settings.actor if user else settings.claimed)


def _current_user(uri: str) -> str:
    """What `GET /api/2.0/mlflow/users/current` answers, "" where there is no such route."""
    from mlflow import MlflowException
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    try:
        answer = http_request(get_default_host_creds(uri), CURRENT_USER, "GET")
    except MlflowException as error:
        raise Unavailable(f"MLflow's server {uri} does not answer; try again later.") from error
    if answer.status_code == HTTPStatus.UNAUTHORIZED:
        raise BadInput(refused_credentials())
    if answer.status_code != HTTPStatus.OK:
        return ""
    return _username(answer)


def _username(answer: Any) -> str:
    """The name in an answer, "" where it is another kind of answer."""
    try:
        user = answer.json()["user"]["username"]
    except (ValueError, KeyError, TypeError):
        return ""
    return user if isinstance(user, str) else ""


def refused_credentials() -> str:
    """What to do where the server does not take the credentials."""
    user = os.environ.get("MLFLOW_TRACKING_USERNAME", "")
    found = f"does not take the credentials of {user!r}" if user else "asks who you are"
    return (
        f"MLflow's server {found}; MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD must be "
        "those of one of its users."
    )


def denied(error: BaseException) -> str:
    """What a refusal by the tracking server means to people; "" where it is another failure."""
    code = getattr(error, "error_code", "")
    if code == UNAUTHENTICATED:
        return refused_credentials()
    if not is_denied(error):
        return ""
    user = os.environ.get("MLFLOW_TRACKING_USERNAME", "")
    asked = ENDPOINT.search(str(error))
    what = asked[0] if asked else "this"
    return (
        f"MLflow's server does not let {user!r} ask for {what}; an admin gives the right: EDIT on "
        "the experiments of the use case and MANAGE on its registered model, or READ to look."
    )


def is_denied(error: BaseException) -> bool:
    """Whether the server knows who asks and does not let him."""
    response = getattr(error, "response", None)  # of artifacts, which requests fetches
    forbidden = getattr(response, "status_code", None) == HTTPStatus.FORBIDDEN
    return forbidden or getattr(error, "error_code", "") == DENIED
