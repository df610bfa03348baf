# SPDX-License-Identifier: MIT
"""The bus: the one ordered place where messages are exchanged, inside one process or board.

Rules: tables, binding and closing are in core.py, sends in hot.py and send.py, the life of a
request in answers.py, who pumps in run.py. This file puts the calls on top that raise, the node's
identity, and links. A full table refuses with an error that says which.
"""

from .core import Core
from .errors import Closed, TableFull, error
from .ksock import Ksock
from .limpet import Limpet
from .names import check as check_name
from .port import Waiter, const, entropy, unique_id
from .rand import Random
from .run import Runner, Timer

_NO_SIDE = const(8)  # header.NONE

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from typing import Any

    from .aio import AsyncKsock
    from .bindings import Name
    from .hot import Hot
    from .irq import IrqInbox
    from .run import Driver
    from .tile import Tile
    from .usage import Usage


def node_id(identity: bytes) -> int:
    """Return the 30-bit node id that stands for `identity`, never 0.

    It is FNV-1a, 32 bits, folded. Two CRCs would not do: for one size, they differ by a constant.
    """
    value = 0x811C9DC5
    for byte in identity:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return (value >> 30 ^ value) & 0x3FFFFFFF or 1


class Bus(Core):
    """A bus: what Core has, the comfortable calls, and links.

    All arguments are sizes or identity, and are fixed. Sizes: see Core. node: an id (int), a name
    of letters and digits, or None: made from the machine's or board's unique id. seed: of the
    bus's randomness; None: from the platform.
    """

    def __init__(
        self,
        slot_count: int = 32,
        slot_size: int = 128,
        queue_size: int = 16,
        ksock_count: int = 32,
        name_count: int = 256,
        binding_count: int = 256,
        node: "int | str | None" = None,
        seed: "int | None" = None,
        slot_count_max: int = 0,
        event_count: int = 32,
    ) -> None:
        Core.__init__(
            self,
            slot_count,
            slot_size,
            queue_size,
            ksock_count,
            name_count,
            binding_count,
            slot_count_max,
            event_count,
        )
        self.node = _node(node)
        self.random = Random(entropy() if seed is None else seed)
        self.epoch = self.random.next() or 1  # a new one at each start of the bus
        self.waiter = Waiter()
        self.answers.watch = self.pool.watch = self.waiter
        self.ksocks: list[Ksock] = []
        self.limpets: list[Limpet] = []
        self.irqs: list[IrqInbox] = []
        self.runner = Runner(self)

    # Names and Ksocks

    def name(self, text: str) -> "Name":
        """Return the Name to send under, for the hot layer.

        It stays right for the life of the bus. Raises BadName, NameTooLong, or TableFull when
        name_count are known. Context: the bus's thread.
        """
        with self.waiter.lock:
            name = self.find_name(text)
            name.kept = True
            return name

    def find_name(self, text: str) -> "Name":
        """Return the Name for one send; as name(), but the table may forget it later.

        Context: the bus's thread, or with the bus locked.
        """
        known = self.bindings.names.get(text)
        if known is not None:
            return known
        name = self.lookup(text)
        if isinstance(name, int):
            if name == -TableFull.code:
                raise TableFull(f"no room for {text}: name_count is {self.bindings.name_count}")
            raise error(name, f"{text!r} is no name: words of letters and digits after '$.'")
        return name

    def ksock(self, queue_size: "int | None" = None) -> Ksock:
        """Open a connection to the bus. Raises TableFull when ksock_count are open."""
        if queue_size is None:
            queue_size = self.queue_size
        if queue_size < 1:
            raise ValueError(f"queue_size is {queue_size}, at least 1 is needed")
        with self.waiter.lock:
            ksock = Ksock(self, self.open_hot(queue_size))
            self.ksocks.append(ksock)
            return ksock

    def async_ksock(self, queue_size: "int | None" = None) -> "AsyncKsock":
        """Open a connection whose waiting calls are awaited."""
        from .aio import AsyncKsock

        return AsyncKsock(self.ksock(queue_size))

    def open_hot(self, queue_size: int) -> "Hot":
        """Open the hot side of a Ksock (used by ksock() and by limpets)."""
        hot = self.open(queue_size)
        if isinstance(hot, int):
            if self.closed:
                raise Closed("this bus is closed")
            raise TableFull(f"all {self.ksock_count} Ksocks (ksock_count) are open")
        return hot

    def irq_inbox(self, ks: Ksock, name: str, count: int = 8, size: int = 4) -> "IrqInbox":
        """Return an inbox for one interrupt handler; what it posts, `ks` announces under `name`.

        ks: a Ksock (`sync` of an AsyncKsock). count: how many posts may wait there for the next
        poll; size: bytes of the largest. See irq.py. Raises ValueError for a count or size that
        can't be, Closed, and as name().
        """
        from .irq import IrqInbox  # a board without interrupts has no need of it

        with self.waiter.lock:
            return IrqInbox(self.irqs, self.waiter, ks.hot, self.name(name), count, size)

    @staticmethod
    def ram_size(**sizes: int) -> int:
        """Return the bytes of RAM that a bus of these sizes takes on a board (see usage.py).

        Arguments as for Bus (slot_count, slot_size, queue_size, ksock_count, name_count,
        binding_count), and word_size. Raises ValueError that says which number is wrong.
        """
        from .usage import ram_size

        return ram_size(**sizes)

    def usage(self) -> "Usage":
        """Return what the bus uses, refused and missed (usage.py)."""
        from .usage import of_bus

        with self.waiter.lock:
            return of_bus(self)

    # Time

    def poll(self, now_ms: int) -> int:  # hot:
        """Run what is due (deadlines, what interrupts posted, links).

        now_ms: port.ticks_ms() or a test's clock, wraps at 2**30. Returns ms until the next thing
        is due, at most MS_MAX. Cost: O(links + inboxes) when nothing is due.
        """
        due = Core.poll(self, now_ms)
        i = len(self.irqs)
        while i:
            i -= 1
            due = min(due, self.irqs[i].drain())
        i = len(self.limpets)
        while i:  # a for loop would need a larger frame than is free
            i -= 1
            due = min(due, self.limpets[i].poll(now_ms))
        return due

    # Links, and who runs the bus: see run.py

    def join(
        self,
        driver: "Driver",
        allow: "Iterable[str] | None" = None,
        deny: "Iterable[str]" = (),
        direction: "int | None" = None,
        window: int = 8,
        silence_ms: "int | None" = None,
        packet_size: int = 255,
        key: "bytes | None" = None,
        reliable: "bool | None" = None,
    ) -> Limpet:
        """Give a driver to the bus: a link to one neighbour, and the limpet that joins both buses.

        allow, deny: names or patterns that may pass (None: all) or may not. direction: the side of
        the tile, 0..7; None: no side. window, packet_size: see Link. silence_ms: how long the
        neighbour may be silent; None: 3000 below 115200 baud, else 1000. key: 16..64 random bytes
        that both ends have: who has not gets no session. reliable: the wire loses nothing (TCP
        from end to end), so nothing is sent twice; None: what the driver says. Opens the driver's
        device: raises OSError with a sentence on what to do.
        """
        if silence_ms is None:
            silence_ms = 3000 if 0 < driver.baud < 115200 else 1000
        options: dict[str, Any] = {
            "window": window,
            "silence_ms": silence_ms,
            "packet_size": packet_size,
            "direction": _NO_SIDE if direction is None else direction,
            "datagrams": driver.datagrams,
            "reliable": driver.reliable if reliable is None else reliable,
            "auth": None,
        }
        if key is not None:
            from .auth import Auth

            options["auth"] = Auth(key, entropy)
        self.runner.check_open()
        driver.open()  # may take its time: others go on meanwhile
        try:
            with self.waiter.lock:
                return self._join(driver, allow, deny, options)
        except Exception:
            driver.close()
            raise

    def _join(
        self,
        driver: "Driver",
        allow: "Iterable[str] | None",
        deny: "Iterable[str]",
        options: "dict[str, Any]",
    ) -> Limpet:
        hot = self.open_hot(2 * self.queue_size)
        try:
            limpet = Limpet(self, hot, allow, deny, options)
            self.runner.add(driver, limpet)
        except Exception:  # whatever it is: nothing of the limpet stays
            self.shut(hot)
            raise
        self.limpets.append(limpet)
        if self.runner.tile is not None:
            self.runner.tile.attach(limpet.neighbour)
        return limpet

    @property
    def tile(self) -> "Tile":
        """This node as its neighbours see it: services, MFMT, neighbours (tile.py)."""
        with self.waiter.lock:
            if self.runner.tile is None:
                from .tile import Tile

                self.runner.tile = Tile(self.waiter, self.node, self.epoch)
                self.runner.tile.bus = self
                for limpet in self.limpets:
                    self.runner.tile.attach(limpet.neighbour)
            return self.runner.tile

    def every(self, period_ms: int, function: "Callable[[], object]") -> Timer:
        """Call `function` each `period_ms` while somebody pumps the bus.

        A missed turn is left out. What it raises is printed, and the bus goes on. cancel() of the
        Timer returned ends it.
        """
        return self.runner.every(period_ms, function)

    def run(self) -> None:
        """Pump until stop(): what a board does, and what start() does in its thread."""
        self.runner.run()

    def start(self) -> None:
        """Pump in a thread of its own (CPython).

        Other threads then use the calls on Ksocks only.
        """
        self.runner.start()

    def stop(self) -> None:
        """End run() or serve() at its next turn, from any thread.

        If none is at work, the next one ends at once.
        """
        self.runner.stop()

    def serve(self) -> "Coroutine[Any, Any, None]":
        """Pump as an asyncio task: `await bus.serve()`."""
        from .aio import serve

        return serve(self)

    def wait_for_replier(self, text: str, timeout_ms: "int | None" = None) -> None:
        """Wait until a request with that name would find a replier, here or behind a link.

        Raises NoReplier after timeout_ms, with what is wrong with the links, WouldDeadlock in a
        handler.
        """
        with self.waiter.lock:
            self.find_name(text)
        self.runner.wait_for_replier(text, timeout_ms)

    def close(self, linger_ms: int = 0) -> None:
        """Close all Ksocks and links; requests end, neighbours are told, drivers are given back.

        linger_ms: how long links may still send what waits for them, until all of it has been
        acknowledged; the bus is pumped meanwhile. 0: what waits is lost with them.
        """
        if linger_ms and not self.closed:
            self.runner.wait(self._is_quiet, linger_ms)
        self.closed = True  # ends the waits of all threads
        self.runner.close()
        with self.waiter.lock:
            if self.runner.tile is not None:
                self.runner.tile.close()
            for ksock in list(self.ksocks):
                ksock.close()
        self.waiter.close()

    def _is_quiet(self) -> bool:
        # Has each link that is up sent everything, with success?
        return all(limpet.link.is_quiet() for limpet in self.limpets)

    def __repr__(self) -> str:
        closed = ", closed" if self.closed else ""
        return f"<Bus of node {self.node}, {len(self.ksocks)} Ksocks{closed}>"

    def __enter__(self) -> "Bus":
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        self.close()


def _node(node: "int | str | None") -> int:
    if node is None:
        return node_id(unique_id())
    if isinstance(node, str):
        if check_name("$." + node, False) or "." in node:
            raise ValueError(f"node {node!r}: a node's name is letters and digits")
        return node_id(node.encode())
    if not 0 < node < 1 << 30:
        raise ValueError(f"node {node}: a node id is 1 to 2**30 - 1")
    return node
