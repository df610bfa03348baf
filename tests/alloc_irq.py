# SPDX-License-Identifier: MIT
"""What the allocation test calls of the interrupt inbox: a hard interrupt runs with a locked heap.

Rule: a call leaves the bus as it found it.
"""

from limpet import Bus, MessageView


class Scene:
    """A bus with an inbox of two places and a listener."""

    def __init__(self):
        self.bus = bus = Bus(slot_count=4, slot_size=64, queue_size=4, node=1, seed=1)
        self.listener = bus.ksock()
        self.listener.bind("$.Irq")
        self.hot = self.listener.hot
        self.inbox = bus.irq_inbox(bus.ksock(), "$.Irq", 2, 4)
        self.view = MessageView()
        self.data = bytes(range(8))

    def heard(self, size, missed):
        assert self.hot.take(self.view) == size and self.view.missed == missed

    def post(self):
        assert self.inbox.post(self.data, 4)
        assert self.inbox.post_int(-5) and not self.inbox.post_int(5)
        self.bus.poll(1)
        self.heard(4, 0)
        self.heard(4, 0)
        assert self.view[0] == 0xFB
        assert not self.inbox.post(self.data) and self.inbox.post(self.data, 0)
        self.bus.poll(1)
        self.heard(0, 2)

    def full(self):
        self.inbox.post_int(1)
        self.inbox.post_int(2)
        for _ in range(3):
            assert not self.inbox.post_int(3)
        self.bus.poll(1)
        self.heard(4, 0)
        self.heard(4, 0)
        self.inbox.post_int(4)
        self.bus.poll(1)
        self.heard(4, 3)


def calls():
    """Return (what, function) for each call to be made with the heap locked."""
    scene = Scene()
    return [("interrupts post", scene.post), ("an inbox is full", scene.full)]
