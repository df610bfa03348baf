# SPDX-License-Identifier: MIT
"""Our side of the bus's figures on CPython.

Rules: as in measure.py. What a loop needs is looked up before it, here and for the others alike.
"""

from __future__ import annotations

import asyncio

from limpet import Bus, MessageView

from .measure import BURST, PAYLOADS

NAME = "$.A.B"
_EAGAIN = 11
_BURST = range(BURST)
_QUEUE_SIZE = 100  # what KBUS gives a Ksock by default


def _bus(**sizes: int) -> Bus:
    return Bus(slot_count=256, slot_size=64, queue_size=_QUEUE_SIZE, seed=1, **sizes)


class Announce:
    """A burst of announcements by handle, then each listener takes its copies."""

    def __init__(self, listeners: int = 1, foreign: int = 0) -> None:
        """foreign: bindings of other Ksocks to other names, ten each."""
        self.readers = listeners
        self.bus = _bus(ksock_count=128, name_count=1100, binding_count=1100)
        for i in range(foreign // 10):
            other = self.bus.ksock()
            for j in range(10):
                other.bind(f"$.Foreign{i}.Name{j}")
        self.sender = self.bus.ksock()
        self.name = self.bus.name(NAME)
        self.listeners = [self.bus.ksock() for _ in range(listeners)]
        for listener in self.listeners:
            listener.bind(NAME)
        self.views = [(listener.hot, MessageView()) for listener in self.listeners]

    def __call__(self, count: int) -> int:
        """Do the work."""
        total = 0
        name = self.name
        announce = self.sender.hot.announce
        takes = [(hot.take, view) for hot, view in self.views]
        for _ in range(count // BURST):
            for data in PAYLOADS:
                announce(name, data)
            for take, view in takes:
                for _ in _BURST:
                    take(view)
                    total += view.data[0]
        return total

    def left(self) -> int:
        """Return how many listeners have something unread, or have missed something."""
        empty = [hot.take(view) == -_EAGAIN and not view.missed for hot, view in self.views]
        return empty.count(False)

    def close(self) -> None:
        """Give everything back."""
        self.bus.close()


class ByName(Announce):
    """The same, with the name looked up for every message."""

    def __call__(self, count: int) -> int:
        """Do the work."""
        total = 0
        find = self.bus.find_name
        announce = self.sender.hot.announce
        takes = [(hot.take, view) for hot, view in self.views]
        for _ in range(count // BURST):
            for data in PAYLOADS:
                announce(find(NAME), data)
            for take, view in takes:
                for _ in _BURST:
                    take(view)
                    total += view.data[0]
        return total


class Comfortable(Announce):
    """The same with the comfortable calls, which lock, raise and give out Messages."""

    def __call__(self, count: int) -> int:
        """Do the work."""
        total = 0
        announce = self.sender.announce
        nexts = [listener.next for listener in self.listeners]
        for _ in range(count // BURST):
            for data in PAYLOADS:
                announce(NAME, data)
            for take in nexts:
                for _ in _BURST:
                    total += take().data[0]
        return total


class Request:
    """Requests one after the other; the replier answers with the data that was asked for."""

    readers = 1

    def __init__(self) -> None:
        self.bus = _bus()
        self.asker = self.bus.ksock().hot
        replier = self.bus.ksock()
        replier.bind(NAME, replier=True)
        self.replier = replier.hot
        self.name = self.bus.name(NAME)
        self.views = (MessageView(), MessageView())

    def __call__(self, count: int) -> int:
        """Do the work."""
        total = 0
        name = self.name
        view, answer = self.views
        request, take_answer = self.asker.request, self.asker.take
        take, reply = self.replier.take, self.replier.reply
        for _ in range(count // BURST):
            for data in PAYLOADS:
                request(name, data)
                take(view)
                reply(view, PAYLOADS[view.data[0] - 1])
                take_answer(answer)
                total += answer.data[0]
        return total

    def left(self) -> int:
        """Return how many of the two have something unread."""
        hots = (self.replier, self.asker)
        return [hot.take(self.views[0]) == -_EAGAIN for hot in hots].count(False)

    def close(self) -> None:
        """Give everything back."""
        self.bus.close()


class Call:
    """Calls one after the other, the replier a task of the same event loop."""

    readers = 1

    def __init__(self) -> None:
        self.bus = _bus()
        self.asker = self.bus.async_ksock()
        self.replier = self.bus.async_ksock()
        self.replier.bind(NAME, replier=True)
        self.loop = asyncio.new_event_loop()
        self.task = self.loop.create_task(self._answer())

    async def _answer(self) -> None:
        recv, reply = self.replier.recv, self.replier.reply
        while True:
            message = await recv()
            if message is None:
                return
            reply(message, message.data)

    async def _ask(self, count: int) -> int:
        total = 0
        call = self.asker.call
        for _ in range(count // BURST):
            for data in PAYLOADS:
                total += (await call(NAME, data)).data[0]
        return total

    def __call__(self, count: int) -> int:
        """Do the work."""
        return self.loop.run_until_complete(self._ask(count))

    def left(self) -> int:
        """Return how many messages the asker has not read."""
        return int(self.asker.sync.next() is not None)

    def close(self) -> None:
        """Give everything back."""
        self.task.cancel()
        self.loop.run_until_complete(asyncio.gather(self.task, return_exceptions=True))
        self.bus.close()
        self.loop.close()
