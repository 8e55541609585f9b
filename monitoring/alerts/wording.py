"""What the channels that people read say alike: a headline, where it happened, lists."""

from monitoring.alerts.message import Message


def headline(message: Message) -> str:
    """One line that says what happened to whom."""
    if message.kind == "test":
        return f"{message.use_case}: test of alerts"
    if not message.of_version:
        return f"{message.use_case}: {message.state}"
    happened = message.state if message.kind == "alarm" else "recovered"
    return f"{message.use_case} version {message.version}: {happened}"


def where(message: Message) -> str:
    """State, version, window and revision that a message is about."""
    if not message.of_version:
        return message.state
    revision = f", revision {message.revision}" if message.revision > 1 else ""
    return f"{message.state}, version {message.version}, window {message.window}{revision}"


def briefly(message: Message) -> str:
    """What it is and what it is about, for a line in a log."""
    if not message.of_version:
        return f"{message.kind}: {message.state}"
    return f"{message.kind} on version {message.version}, {message.window}"


def bullets(lines: tuple[str, ...], mark: str = "-") -> str:
    """A list as plain text, a line each."""
    return "\n".join(f"{mark} {line}" for line in lines)
