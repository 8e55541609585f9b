"""One comment on a pull request by GitHub's REST interface: written once, then updated."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from contract.errors import BadInput, Unavailable

TIMEOUT_S = 30
PER_PAGE = 100


@dataclass(frozen=True)
class PullRequest:
    """Where to comment, and the token that allows it."""

    api: str
    token: str
    repository: str  # owner/name
    number: int


def publish(pull_request: PullRequest, mark: str, text: str) -> str:
    """Write the comment that begins with `mark`, over an older one; its address.

    Unavailable where GitHub does not answer, BadInput where it refuses.
    """
    repository, number = pull_request.repository, pull_request.number
    headers = {
        "Authorization": f"Bearer {pull_request.token}",
        "Accept": "application/vnd.github+json",
    }
    thread = f"/repos/{repository}/issues/{number}/comments"
    try:
        with httpx.Client(base_url=pull_request.api, headers=headers, timeout=TIMEOUT_S) as client:
            older = next((c for c in _comments(client, thread) if c["body"].startswith(mark)), None)
            if older:
                path = f"/repos/{repository}/issues/comments/{older['id']}"
                answer = client.patch(path, json={"body": text})
            else:
                answer = client.post(thread, json={"body": text})
            answer.raise_for_status()
    except httpx.HTTPStatusError as error:
        code = error.response.status_code
        raise BadInput(
            f"GitHub answers {code} to the comment on pull request {number}; GITHUB_TOKEN needs "
            "the permission pull-requests: write."
        ) from error
    except httpx.HTTPError as error:
        raise Unavailable(
            f"GitHub ({pull_request.api}) does not answer: {type(error).__name__}."
        ) from error
    return str(answer.json().get("html_url", ""))


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
