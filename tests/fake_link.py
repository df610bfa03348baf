# SPDX-License-Identifier: MIT
"""What drivers need of a link, for their tests: frames to send, and what it was fed."""

from limpet.stats import Stats


class FakeLink:
    """Has frames to send, and keeps what it is fed, as one."""

    state = 1  # a session runs
    wire_size = 300
    window = 8
    idle_ms = 700  # what poll() says when there is nothing to send

    def __init__(self, *frames):
        self.stats = Stats()
        self.frames = list(frames)
        self.fed = b""

    def break_off(self, now_ms):
        pass

    def feed(self, buf, count, now_ms, at=0):
        self.fed += bytes(buf[at:count])
        return count

    def take(self, out, now_ms):
        if not self.frames:
            return 0
        frame = self.frames.pop(0)
        out[: len(frame)] = frame
        return len(frame)

    def poll(self, now_ms):
        return 0 if self.frames else self.idle_ms
