# SPDX-License-Identifier: MIT
"""What the bus is measured beside on CPython; as fast as its own documents let it be used.

Rules: as in measure.py. All of them come from the extra `bench` of pyproject.toml; one that is
missing ends the run with a sentence, it is never left out.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
from collections import deque
from types import ModuleType

from layout import Trouble

from .measure import BURST, PAYLOADS

PEERS = ("pyzmq", "busline", "blinker", "PyPubSub", "cobs")

_BURST = range(BURST)
_NAME = "$.A.B"  # short: the topic is part of what pyzmq copies and compares
_WAIT_MS = 2000


def need(module: str, package: str) -> ModuleType:
    """Import a module of a peer, or raise Trouble that says how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError as e:
        raise Trouble(
            f"{package} does not import ({e}): remove build/venv and run `make bench`, "
            'or `pip install -e ".[bench]"`.'
        ) from e


def versions() -> dict[str, str]:
    """Return the version of each peer."""
    return {name: importlib.metadata.version(name) for name in PEERS}


class ZmqPubSub:
    """pyzmq, PUB to SUBs within the process; topic and data are one message, read as bytes."""

    def __init__(self, listeners: int = 1) -> None:
        zmq = need("zmq", "pyzmq")
        self.readers = listeners
        self.context = zmq.Context()
        self.sender = self.context.socket(zmq.PUB)
        self.sender.sndhwm = 0
        self.sender.bind("inproc://bench")
        self.topic = _NAME.encode() + b"\0"
        self.listeners = []
        for _ in range(listeners):
            listener = self.context.socket(zmq.SUB)
            listener.rcvhwm = 0
            listener.connect("inproc://bench")
            listener.subscribe(self.topic)
            self.listeners.append(listener)
        self._join()

    def _join(self) -> None:
        """Send until each listener hears: a subscription may take effect a little later."""
        for listener in self.listeners:
            for _ in range(_WAIT_MS // 10):
                self.sender.send(self.topic)
                if listener.poll(10):
                    break
            else:
                raise Trouble("pyzmq: a listener hears nothing.")
        self.left()

    def __call__(self, count: int) -> int:
        """Do the work."""
        total = 0
        send, topic, first = self.sender.send, self.topic, len(self.topic)
        receives = [listener.recv for listener in self.listeners]
        for _ in range(count // BURST):
            for data in PAYLOADS:
                send(topic + data)
            for recv in receives:
                for _ in _BURST:
                    total += recv()[first]
        return total

    def left(self) -> int:
        """Read what is left and return how many it was."""
        left = 0
        for listener in self.listeners:
            while listener.poll(0):
                listener.recv()
                left += 1
        return left

    def close(self) -> None:
        """Give everything back."""
        self.context.destroy(linger=0)


class ZmqRequest:
    """pyzmq, DEALER and ROUTER in one thread; the ROUTER sends back what it has read."""

    readers = 1

    def __init__(self) -> None:
        zmq = need("zmq", "pyzmq")
        self.context = zmq.Context()
        self.replier = self.context.socket(zmq.ROUTER)
        self.replier.bind("inproc://bench")
        self.asker = self.context.socket(zmq.DEALER)
        self.asker.connect("inproc://bench")

    def __call__(self, count: int) -> int:
        """Do the work."""
        total = 0
        ask, take_answer = self.asker.send, self.asker.recv
        take, reply = self.replier.recv_multipart, self.replier.send_multipart
        for _ in range(count // BURST):
            for data in PAYLOADS:
                ask(data)
                asker, asked = take()
                reply((asker, PAYLOADS[asked[0] - 1]))
                total += take_answer()[0]
        return total

    def left(self) -> int:
        """Return how many of the two have something unread."""
        return bool(self.asker.poll(0)) + bool(self.replier.poll(0))

    def close(self) -> None:
        """Give everything back."""
        self.context.destroy(linger=0)


class Deques:
    """Those that call a function for each message: it appends to a deque, which is then read."""

    readers = 1

    def __init__(self) -> None:
        self.heard: deque[bytes] = deque()

    def left(self) -> int:
        """Return how many messages are unread."""
        return len(self.heard)

    def close(self) -> None:
        """Give everything back."""


class Blinker(Deques):
    """blinker, by handle: the signal itself."""

    def __init__(self) -> None:
        super().__init__()
        append = self.heard.append

        def hear(sender: object, data: bytes) -> None:
            append(data)

        self.signal = need("blinker", "blinker").Signal(_NAME)
        self.hear = hear  # it holds its listeners weakly
        self.signal.connect(hear)

    def __call__(self, count: int) -> int:
        """Do the work."""
        total = 0
        send, read = self.signal.send, self.heard.popleft
        for _ in range(count // BURST):
            for data in PAYLOADS:
                send(data=data)
            for _ in _BURST:
                total += read()[0]
        return total


class PyPubSub(Deques):
    """PyPubSub; it has names only."""

    _TOPIC = "sensor.temp"

    def __init__(self) -> None:
        super().__init__()
        append = self.heard.append

        def hear(data: bytes) -> None:
            append(data)

        self.pub = need("pubsub.pub", "PyPubSub")
        self.hear = hear  # it holds its listeners weakly
        self.pub.subscribe(hear, self._TOPIC)

    def __call__(self, count: int) -> int:
        """Do the work."""
        total = 0
        send, topic, read = self.pub.sendMessage, self._TOPIC, self.heard.popleft
        for _ in range(count // BURST):
            for data in PAYLOADS:
                send(topic, data=data)
            for _ in _BURST:
                total += read()[0]
        return total

    def close(self) -> None:
        """Give everything back."""
        self.pub.unsubscribe(self.hear, self._TOPIC)


class Busline(Deques):
    """py-busline, its local client for asyncio."""

    def __init__(self) -> None:
        super().__init__()
        client = need("busline.eventbus_client.local_eventbus_client", "busline 0.3")
        self.event = need("busline.event.event", "busline 0.3").Event
        self.content = need("busline.event.event_content", "busline 0.3").EventContent
        append = self.heard.append
        self.loop = asyncio.new_event_loop()
        self.sender = client.LocalEventBusClient(lambda topic, event: None)
        self.listener = client.LocalEventBusClient(
            lambda topic, event: append(event.content.content)
        )
        self.loop.run_until_complete(self._join())

    async def _join(self) -> None:
        await self.sender.connect()
        await self.listener.connect()
        await self.listener.subscribe(_NAME)

    async def _work(self, count: int) -> int:
        total = 0
        publish, read = self.sender.publish, self.heard.popleft
        event, content = self.event, self.content
        for _ in range(count // BURST):
            for data in PAYLOADS:
                await publish(_NAME, event(content(data, "bytes")))
            for _ in _BURST:
                total += read()[0]
        return total

    def __call__(self, count: int) -> int:
        """Do the work."""
        return self.loop.run_until_complete(self._work(count))

    def close(self) -> None:
        """Give everything back."""
        self.loop.run_until_complete(self.listener.unsubscribe())
        self.loop.close()


class EventPingPong:
    """Two tasks that wake each other by asyncio.Event: no bus can have a task answer faster."""

    readers = 1

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.asked = asyncio.Event()
        self.answered = asyncio.Event()
        self.data = b""
        self.task = self.loop.create_task(self._answer())

    async def _answer(self) -> None:
        asked, answered = self.asked, self.answered
        while True:
            await asked.wait()
            asked.clear()
            answered.set()

    async def _ask(self, count: int) -> int:
        total = 0
        asked, answered = self.asked, self.answered
        for _ in range(count // BURST):
            for data in PAYLOADS:
                self.data = data
                asked.set()
                await answered.wait()
                answered.clear()
                total += self.data[0]
        return total

    def __call__(self, count: int) -> int:
        """Do the work."""
        return self.loop.run_until_complete(self._ask(count))

    def left(self) -> int:
        """Return whether a task was woken for nothing."""
        return self.asked.is_set() + self.answered.is_set()

    def close(self) -> None:
        """Give everything back."""
        self.task.cancel()
        self.loop.run_until_complete(asyncio.gather(self.task, return_exceptions=True))
        self.loop.close()
