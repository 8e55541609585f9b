"""Places of a worker: so many requests, and memory for so many bodies."""

import asyncio

import pytest

from serving.requests.admission import BODIES, UNSTATED, Admission
from serving.requests.errors import Problem
from serving.requests.request import Request, read_head

LARGEST = 100


def call_of(length: int | None) -> Request:
    headers = [] if length is None else [(b"content-length", str(length).encode())]
    return read_head({"method": "POST", "path": "/predict", "headers": headers})


def test_a_place_is_given_back_with_all_that_was_booked() -> None:
    places, call = Admission(1, LARGEST), call_of(40)
    asyncio.run(places.admit(call))
    assert (places.in_work, places.bytes, places.is_full(0)) == (1, 40, True)
    places.leave(call)
    assert (places.in_work, places.bytes, places.is_full(0)) == (0, 0, False)


def test_one_more_than_there_are_places_is_told_to_come_again() -> None:
    places = Admission(1, LARGEST)
    asyncio.run(places.admit(call_of(1)))
    with pytest.raises(Problem, match="Too many requests"):
        asyncio.run(places.admit(call_of(1)))
    assert places.in_work == 1


def test_a_body_that_says_that_it_is_too_large_takes_no_place() -> None:
    places = Admission(9, LARGEST)
    with pytest.raises(Problem, match=f"larger than {LARGEST} bytes"):
        asyncio.run(places.admit(call_of(LARGEST + 1)))
    assert (places.in_work, places.bytes) == (0, 0)


def test_a_body_of_unknown_length_books_what_came_of_it() -> None:
    largest = 4 * UNSTATED
    places, call = Admission(99, largest), call_of(None)
    asyncio.run(places.admit(call))
    assert places.bytes == UNSTATED
    places.book(call, 3 * UNSTATED)
    assert places.bytes == 3 * UNSTATED
    for _ in range(BODIES - 1):
        asyncio.run(places.admit(call_of(largest)))
    with pytest.raises(Problem, match="Too many requests"):
        places.book(call, 5 * UNSTATED)
