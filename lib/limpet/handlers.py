# SPDX-License-Identifier: MIT
"""Handlers: calling the functions that a program has given for its bindings.

Rules: the runner calls dispatch() in its turns, with the bus locked. What a handler raises is
printed and ends a request in Replier.Failed; the bus goes on. What handlers send to their own
Ksock waits for the next turn.
"""

from .errors import EADDRNOTAVAIL, EBADF, ECONNREFUSED, error
from .message import Message, encode
from .port import const, print_exception

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from collections.abc import Callable

    from .ksock import Ksock
    from .send import Data

# What a replier's handler returns when it will call ks.reply(msg, data) itself, later.
LATER = object()


def dispatch(ks: "Ksock") -> bool:  # hot:
    """Call the handlers of the messages that have one; returns True if there were any."""
    hot = ks.hot
    index = 0
    turns = hot.count
    called = False
    while turns and index < hot.count:
        turns -= 1
        binding = hot.binding_at(index)
        if binding is None or binding.handler is None:
            index += 1
            continue
        _handle(ks, ks.take(index), binding.handler)
        called = True
    return called


def _handle(ks: "Ksock", message: Message, handler: "Callable[[Message], object]") -> None:
    failure: BaseException | None = None
    try:
        result = handler(message)
        if message.wants_reply and result is not LATER:
            _reply(ks, message, b"" if result is None else encode(result))  # type: ignore[arg-type]
    except Exception as e:
        failure = e
        print_exception(e)
    except BaseException as e:  # an interrupt: the request ends first
        failure = e
        raise
    finally:
        if failure is not None and message.wants_reply:
            ks.hot.fail(message, type(failure).__name__.encode())


def _reply(ks: "Ksock", message: Message, data: "Data") -> None:
    # A request that has ended meanwhile is no fault of the handler; the bus counts it as late.
    code = ks.hot.reply(message, data)
    if code < 0 and code not in (-ECONNREFUSED, -EADDRNOTAVAIL, -EBADF):
        raise error(code, f"reply to {message.name}")
