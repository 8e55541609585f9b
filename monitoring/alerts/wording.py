"""What the channels that people read say alike: a headline, where it happened, lists."""

from monitoring.alerts.message import Message


def headline(message: Message) -> str:
    """One line that says what happened to whom."""
    happened = {"alarm": message.state, "recovery": "recovered", "test": "test of alerts"}
    version = "" if message.kind == "test" else f" version {message.version}"
    return f"{message.use_case}{version}: {happened[message.kind]}"


def where(message: Message) -> str:
    """State, version, window and revision that a message is about."""
    revision = f", revision {message.revision}" if message.revision > 1 else ""
    return f"{message.state}, version {message.version}, window {message.window}{revision}"


def bullets(lines: tuple[str, ...], mark: str = "-") -> str:
    """A list as plain text, a line each."""
    return "\n".join(f"{mark} {line}" for line in lines)
