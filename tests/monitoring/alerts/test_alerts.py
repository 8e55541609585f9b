"""`python -m monitoring.alerts`: does an alert arrive?"""

import json
import os
import subprocess
import sys

import pytest

from pipelines.runtime.code_hash import PROJECT
from tests.support.mailbox import Mailbox, taking_mail
from tests.support.receiver import SECRET, Receiver, listening


def run(module: str = "monitoring.alerts", **variables: str) -> "subprocess.CompletedProcess[str]":
    named = {f"FOURCYCLE_ALERT_{name}": value for name, value in variables.items()}
    return subprocess.run(
        [sys.executable, "-m", module, "--use-case", "penguins"],
        env=os.environ | {"PYTHONPATH": str(PROJECT)} | named,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_channel_gets_a_message_that_tells_of_nothing() -> None:
    with (
        listening(Receiver()) as webhook,
        listening(Receiver()) as slack,
        taking_mail(Mailbox()) as mailbox,
    ):
        done = run(
            WEBHOOK_URL=webhook.url,
            WEBHOOK_SECRET=SECRET,
            SLACK_URL=slack.url,
            SMTP_HOST="127.0.0.1",
            SMTP_PORT=str(mailbox.port),
            MAIL_FROM="monitoring@example.org",
            MAIL_TO="owner@example.org",
        )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == ["webhook: sent", "slack: sent", "mail: sent"]
    assert json.loads(webhook.got[0].body)["type"] == "monitoring.test"
    assert json.loads(slack.got[0].body)["text"].startswith("penguins: test of alerts.")
    assert mailbox.got[0]["Subject"] == "[test] penguins: test of alerts"


def test_who_refuses_is_named_and_the_others_are_tried() -> None:
    with listening(Receiver(script=[403])) as webhook, listening(Receiver()) as slack:
        done = run(WEBHOOK_URL=webhook.url, WEBHOOK_SECRET=SECRET, SLACK_URL=slack.url)
    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        "webhook: not sent, it answered 403",
        "slack: sent",
        "Not sent to webhook.",
    ]


def test_without_a_channel_it_says_which_variables_there_are() -> None:
    done = run()
    assert done.returncode == 2
    assert "FOURCYCLE_ALERT_WEBHOOK_URL" in done.stderr


@pytest.mark.parametrize("url", ["hooks.example.org/T0KEN", "https://hooks.example.org:T0KEN"])
def test_a_channel_configured_by_half_stops_monitoring_before_its_work(url: str) -> None:
    done = run("monitoring", SLACK_URL=url)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "FOURCYCLE_ALERT_SLACK_URL: an address like https://host/path is needed."
    ]
