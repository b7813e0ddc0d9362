"""A crowd goes on a few at a time, and whoever else is there gets his turn of the loop in between."""

import asyncio
from collections import Counter

import pytest

from services.turns import Turns


class Loop:
    """Counts the turns of the loop."""

    def __init__(self) -> None:
        self.turn = 0
        self.step()

    def step(self) -> None:
        """One turn has gone by."""
        self.turn += 1
        self.handle = asyncio.get_running_loop().call_soon(self.step)


@pytest.fixture
def seen() -> list[tuple[int, int]]:
    return []


async def crowd(few: int, people: int, seen: list[tuple[int, int]]) -> list[asyncio.Task[None]]:
    """So many come in one turn; each notes who it is and in which turn it went on."""
    loop, turns = Loop(), Turns(few)

    async def come(number: int) -> None:
        await turns.mine()
        seen.append((number, loop.turn))

    return [asyncio.create_task(come(number)) for number in range(people)]


def test_of_a_crowd_a_few_go_on_in_each_turn_in_the_order_they_came(seen):
    async def story() -> None:
        await asyncio.gather(*await crowd(3, 20, seen))

    asyncio.run(story())

    assert [number for number, _ in seen] == list(range(20))
    assert max(Counter(turn for _, turn in seen).values()) == 3


def test_who_gives_up_waiting_keeps_nobody_else_from_his_turn(seen):
    async def story() -> None:
        come = await crowd(1, 3, seen)
        await asyncio.sleep(0)
        come[1].cancel()
        await asyncio.wait(come)

    asyncio.run(story())

    assert [number for number, _ in seen] == [0, 2]


def test_who_comes_later_is_let_on_as_well(seen):
    async def story() -> None:
        turns = Turns(2)
        for number in range(3):
            await asyncio.wait_for(turns.mine(), timeout=5)
            seen.append((number, 0))

    asyncio.run(story())

    assert len(seen) == 3
