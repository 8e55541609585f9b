"""A version passed the gate and waits for a person."""

from monitoring.alerts.notice import Notice, NoticeKind

WAITS_FOR_APPROVAL = NoticeKind(
    name="waits_for_approval",
    wrong="WAITS_FOR_APPROVAL",
    well="APPROVAL_SETTLED",
    recovered="No version waits for an approval any more.",
    next_steps=(
        "Look at its report, then: fourcycle promote --use-case {name} --reason '...', "
        "or fourcycle reject --use-case {name} --reason '...'.",
    ),
)


def waits(version: str, whom: str, report: str) -> Notice:
    """A version waits; `whom` says for whom, as people read it."""
    reason = f"Version {version} passed the gate and waits for the approval of {whom}."
    return Notice(WAITS_FOR_APPROVAL, f"version {version}", (reason,), report)


def settled() -> Notice:
    """Nothing waits."""
    return Notice(WAITS_FOR_APPROVAL)
