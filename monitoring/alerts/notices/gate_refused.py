"""The gate refused the version that a pipeline made."""

from monitoring.alerts.notice import Notice, NoticeKind

GATE_REFUSED = NoticeKind(
    name="gate_refused",
    wrong="GATE_REFUSED",
    well="GATE_PASSED",
    recovered="The gate let a version pass again.",
    next_steps=(
        "Read the report of the gate. Nothing changes for users: the champion answers on. A new "
        "candidate comes with: fourcycle main --use-case {name}.",
    ),
)


def refused(version: str, reasons: tuple[str, ...], report: str) -> Notice:
    """The gate refused a version for these reasons."""
    return Notice(GATE_REFUSED, f"version {version}", (_said(version), *reasons), report)


def passed() -> Notice:
    """It let the newest version pass."""
    return Notice(GATE_REFUSED)


def _said(version: str) -> str:
    return f"The gate refused version {version}."
