"""Work ahead keeps its order, its bound and its errors."""

import threading
from collections.abc import Iterator

import pytest

from pipelines.scoring.ahead import in_order


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_order_whoever_ends_first(threads: int) -> None:
    last = threading.Event()

    def work(number: int) -> int:
        if number == 0 and threads > 1:
            assert last.wait(10)  # the first ends after the second
        if number == 1:
            last.set()
        return number * number

    assert list(in_order(work, range(20), threads)) == [n * n for n in range(20)]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_no_more_is_read_than_the_threads_need(threads: int) -> None:
    read = []

    def given() -> Iterator[int]:
        for number in range(100):
            read.append(number)
            yield number

    made = in_order(lambda number: number, given(), threads)
    for number in range(10):
        assert next(made) == number
        assert len(read) <= number + threads + 1


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_comes_in_its_place(threads: int) -> None:
    def work(number: int) -> int:
        if number == 3:
            raise ValueError("the third")
        return number

    made, seen = in_order(work, range(10), threads), list[int]()
    with pytest.raises(ValueError, match="the third"):
        seen.extend(made)
    assert seen == [0, 1, 2]


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_of_what_is_given_comes_after_what_was_given_before(threads: int) -> None:
    def given() -> Iterator[int]:
        yield from range(3)
        raise OSError("a damaged page")

    made, seen = in_order(lambda number: number, given(), threads), list[int]()
    with pytest.raises(OSError, match="a damaged page"):
        seen.extend(made)
    assert seen == [0, 1, 2]
