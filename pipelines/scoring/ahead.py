"""Work done ahead in threads, its results in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


def in_order(work: Callable[[Given], Made], given: Iterable[Given], threads: int) -> Iterator[Made]:
    """What is made of each, in order; an error comes in the place of its result.

    At most `threads` are at work and one more is ready, so memory does not grow with what is given.
    One thread is the caller's own.
    """
    if threads == 1:
        yield from map(work, given)
        return
    with ThreadPoolExecutor(threads, "scoring") as pool:
        ahead, source, trouble = deque[Future[Made]](), iter(given), None
        while trouble is None:
            try:
                ahead.append(pool.submit(work, next(source)))
            except StopIteration:
                break
            except Exception as error:  # its place is behind what was given before
                trouble = error
            else:
                if len(ahead) > threads:
                    yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
        if trouble is not None:
            raise trouble
