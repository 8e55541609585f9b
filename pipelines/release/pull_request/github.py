"""GitHub by its REST interface: one comment on a pull request, and who let a deployment through."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from contract.errors import BadInput, Unavailable

TIMEOUT_S = 30
PER_PAGE = 100
TOKEN, REPOSITORY, API = "GITHUB_TOKEN", "GITHUB_REPOSITORY", "GITHUB_API_URL"
PUBLIC_API = "https://api.github.com"


@dataclass(frozen=True)
class Repository:
    """A repository and the token by which it is asked."""

    api: str
    token: str
    name: str  # owner/name

    @classmethod
    def of_job(cls) -> "Repository":
        """The one whose workflow runs this; BadInput where none does."""
        token, name = (os.environ.get(variable, "") for variable in (TOKEN, REPOSITORY))
        if not (token and name):
            raise BadInput(f"To speak to GitHub {TOKEN} and {REPOSITORY} must be set.")
        return cls(os.environ.get(API) or PUBLIC_API, token, name)


def comment_on(repository: Repository, number: int, mark: str, text: str) -> str:
    """Write the comment that begins with `mark`, over an older one; its address.

    Unavailable where GitHub does not answer, BadInput where it refuses.
    """
    thread = f"/repos/{repository.name}/issues/{number}/comments"
    with _asking(repository, "pull-requests: write") as client:
        older = next((c for c in _comments(client, thread) if c["body"].startswith(mark)), None)
        if older:
            path = f"/repos/{repository.name}/issues/comments/{older['id']}"
            answer = client.patch(path, json={"body": text})
        else:
            answer = client.post(thread, json={"body": text})
        answer.raise_for_status()
    return str(answer.json().get("html_url", ""))


def approver_of(repository: Repository, run: str) -> str:
    """Who let the deployment of a workflow's run through last; "" where nobody was asked.

    Unavailable where GitHub does not answer, BadInput where it refuses.
    """
    with _asking(repository, "actions: read") as client:
        answer = client.get(f"/repos/{repository.name}/actions/runs/{run}/approvals")
        answer.raise_for_status()
    given = [a["user"]["login"] for a in answer.json() if a["state"] == "approved"]
    return str(given[-1]) if given else ""


@contextmanager
def _asking(repository: Repository, permission: str) -> Iterator[httpx.Client]:
    """A client whose failures are sentences; `permission` is what the token needs."""
    headers = {
        "Authorization": f"Bearer {repository.token}",
        "Accept": "application/vnd.github+json",
    }
    try:
        with httpx.Client(base_url=repository.api, headers=headers, timeout=TIMEOUT_S) as client:
            yield client
    except httpx.HTTPStatusError as error:
        code, path = error.response.status_code, error.request.url.path
        raise BadInput(
            f"GitHub answers {code} to {path}; {TOKEN} needs the permission {permission}."
        ) from error
    except httpx.HTTPError as error:
        away = f"GitHub ({repository.api}) does not answer: {type(error).__name__}."
        raise Unavailable(away) from error


def _comments(client: httpx.Client, thread: str) -> Iterator[dict[str, Any]]:
    page = 1
    while True:
        answer = client.get(thread, params={"per_page": PER_PAGE, "page": page})
        answer.raise_for_status()
        found = answer.json()
        yield from found
        if len(found) < PER_PAGE:
            return
        page += 1
