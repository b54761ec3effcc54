"""Calls that come while one is being answered are answered together, and none notices."""

from __future__ import annotations

import threading
import time

import pytest

from tenancy.actions import together
from tenancy.actions.unit import atomic
from tenancy.errors import Conflict


class Desk:
    """Answers numbers by their double, refuses odd tens, and can be held up; what it was asked at once."""

    def __init__(self):
        self.open, self.asked, self.broken = threading.Event(), [], set()
        self.ask = together.Together(self.answer, about=lambda number: number % 100)

    def answer(self, numbers):
        self.asked.append(sorted(numbers))
        assert self.open.wait(10)
        if len(numbers) > 1 and self.broken & set(numbers):
            raise ConnectionError
        if self.broken & set(numbers):
            raise ValueError(numbers)
        return [Conflict(str(n)) if n // 10 % 2 else 2 * n for n in numbers]

    def crowd(self, numbers):
        """The first is at it while the others come; number → what it was told."""
        told = {}

        def one(number):
            try:
                told[number] = self.ask(number)
            except Exception as error:  # noqa: BLE001 - it is what is asked for
                told[number] = repr(error)

        threads = [threading.Thread(target=one, args=(number,)) for number in numbers]
        threads[0].start()
        until(lambda: self.asked)
        for thread in threads[1:]:
            thread.start()
        until(lambda: len(self.ask._waiting) == len(numbers) - 1)
        self.open.set()
        for thread in threads:
            thread.join(10)
        return told


@pytest.fixture
def desk():
    return Desk()


def until(seen):
    end = time.monotonic() + 10
    while not seen():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_those_who_wait_are_answered_in_one_go_and_refused_alone(desk):
    assert desk.crowd([1, 2, 3, 14, 5]) == {1: 2, 2: 4, 3: 6, 14: "Conflict('14')", 5: 10}
    assert desk.asked == [[1], [2, 3, 5, 14]]


def test_two_about_the_same_follow_each_other(desk):
    assert desk.crowd([1, 2, 102, 3]) == {1: 2, 2: 4, 102: 204, 3: 6}
    assert len(desk.asked) == 3
    assert {2, 102} not in [set(numbers) & {2, 102} for numbers in desk.asked]


def test_what_fails_as_a_whole_is_tried_one_by_one(desk):
    desk.broken = {3}
    assert desk.crowd([1, 2, 3, 4]) == {1: 2, 2: 4, 3: "ValueError([3])", 4: 8}
    assert sorted(desk.asked) == [[1], [2], [2, 3, 4], [3], [4]]
    assert desk.ask(7) == 14


def test_no_more_than_so_many_share_a_transaction(desk, monkeypatch):
    monkeypatch.setattr(together, "MOST", 2)
    assert desk.crowd([1, 2, 3, 4, 5]) == {n: 2 * n for n in range(1, 6)}
    assert [len(numbers) for numbers in desk.asked] == [1, 2, 2]


@pytest.mark.django_db
def test_inside_a_transaction_nobody_else_is_taken_along(desk):
    desk.open.set()
    with atomic():
        desk.ask._busy = True
        assert desk.ask(1) == 2
