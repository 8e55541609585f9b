"""Which channels a configuration turns on, and that it keeps its secrets."""

import logging

import pytest

from contract.errors import BadInput
from contract.settings import Settings, read_settings
from monitoring.alerts.channels.registry import channels
from tests.support.alerts import MESSAGE
from tests.support.receiver import SECRET, Receiver, listening

HALF: dict[str, tuple[dict[str, str], str]] = {
    "no secret": ({"WEBHOOK_URL": "https://example.org/T0KEN"}, "WEBHOOK_SECRET"),
    "a short secret": (
        {"WEBHOOK_URL": "https://example.org/T0KEN", "WEBHOOK_SECRET": "whsec_T0KENaaa"},
        "WEBHOOK_SECRET",
    ),
    "no address": ({"SLACK_URL": "hooks.example.org/T0KEN"}, "SLACK_URL"),
    "another scheme": ({"SLACK_URL": "ftp://example.org/T0KEN"}, "SLACK_URL"),
    "no recipient": ({"SMTP_HOST": "mail.example.org", "MAIL_FROM": "T0KEN@x.org"}, "MAIL_TO"),
}


@pytest.mark.parametrize("name", HALF)
def test_half_a_configuration_is_named_without_its_content(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables, said = HALF[name]
    for variable, value in variables.items():
        monkeypatch.setenv(f"FOURCYCLE_ALERT_{variable}", value)
    with pytest.raises(BadInput, match=f"FOURCYCLE_ALERT_{said}") as caught:
        channels(read_settings())
    assert "T0KEN" not in str(caught.value)


def test_no_secret_is_shown_or_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with listening(Receiver(script=[500])) as receiver:
        monkeypatch.setenv("FOURCYCLE_ALERT_WEBHOOK_URL", receiver.url)
        monkeypatch.setenv("FOURCYCLE_ALERT_WEBHOOK_SECRET", SECRET)
        monkeypatch.setenv("FOURCYCLE_ALERT_SLACK_URL", f"{receiver.url}/slack")
        monkeypatch.setenv("FOURCYCLE_ALERT_SMTP_PASSWORD", "hunter2")
        settings = read_settings()
        for each in channels(settings).values():
            each(MESSAGE)
    shown = f"{settings!r} {settings} {settings.model_dump()} {caplog.text}"
    assert len(receiver.accepted) == 2
    assert not [s for s in ("T0KEN", SECRET, SECRET[6:], "hunter2") if s in shown]


def test_nothing_configured_is_no_channel() -> None:
    assert channels(Settings()) == {}
