"""A Slack-compatible webhook against a real receiver on loopback."""

import json

from pydantic import SecretStr

from tests.support.alerts import MESSAGE, send
from tests.support.receiver import Receiver, listening


def test_slack_gets_text_and_blocks_and_no_markup_of_ours_is_its_markup() -> None:
    with listening(Receiver(script=[500])) as receiver:
        send("slack", alert_slack_url=SecretStr(receiver.url))
    found = json.loads(receiver.accepted[0].body)
    assert found["text"].startswith("flights version 3: DRIFT. New drift: performance.")
    kinds = [block["type"] for block in found["blocks"]]
    assert kinds == ["header", "section", "section", "section", "section", "context"]
    about = found["blocks"][1]["text"]
    assert about["type"] == "plain_text"
    assert "Late arrivals <of flights> & more" in about["text"]
    assert found["blocks"][4]["text"]["text"] == f"<{MESSAGE.report}|Report in MLflow>"
    assert "webhook-signature" not in receiver.got[0].headers
