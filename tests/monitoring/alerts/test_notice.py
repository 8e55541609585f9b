"""When a notice is news, and what it says."""

import pytest

from contract.use_case.model import UseCase
from monitoring.alerts.channels.mail import letter_of
from monitoring.alerts.notice import Notice, news, worded
from monitoring.alerts.notices.refused_delivery import REFUSED_DELIVERY, refused, taken

A, B = refused("a", ("size is missing.",), "/#/run"), refused("b", ("late is text.",), "/#/run")
COURSE = [
    (taken(), set(), None),
    (A, set(), "alarm"),
    (A, {"a"}, None),
    (B, {"a"}, "alarm"),
    (A, {"a", "b"}, None),
    (taken(), {"a", "b"}, "recovery"),
]


@pytest.mark.parametrize(("notice", "told", "due"), COURSE)
def test_the_same_is_told_once_and_what_is_over_once(
    notice: Notice, told: set[str], due: str | None
) -> None:
    assert news(notice, told) == due


def test_a_message_says_what_is_wrong_and_what_to_do(use_case: UseCase) -> None:
    message = worded(A, "alarm", use_case, "7", "http://ui", "2024-01-01T00:00:00+00:00")
    letter = letter_of(message, "a@example.org", "b@example.org")
    assert letter["Subject"] == "[alarm] made: DELIVERY_REFUSED"
    said = letter.get_content()
    assert said.startswith("Made rows\nDELIVERY_REFUSED\n\n- size is missing.\n")
    assert "fourcycle main --use-case made." in said
    over = worded(taken(), "recovery", use_case, "7", "http://ui", "2024-01-01T00:00:00+00:00")
    assert (over.state, over.signals) == ("DELIVERY_TAKEN", ("refused_delivery",))
    assert over.reasons == (REFUSED_DELIVERY.recovered,)
