# SPDX-License-Identifier: MIT
"""What a message looks like, as tuples that can be compared: of the bus, and of its model.

Rules: each function has a twin, which gives the same for the other side.
"""

from model_parts import STATUS


def shown(view):
    """Return what a view shows of a message."""
    data = bytes([view[i] for i in range(view.size)])
    ids = (view.id_net, view.id_serial, view.sender_net, view.sender, view.to)
    answers = (view.in_reply_to_net, view.in_reply_to_serial)
    return (view.kind, view.name, ids, answers, view.flags, view.user, view.carry, data)


def facts(m):
    """Return the same of the model's message."""
    ids = (m.net, m.serial, m.sender_net, m.sender, m.to)
    answers = (m.reply_net, m.reply_serial)
    return (m.kind, m.name, ids, answers, m.flags, m.user, m.carry, m.data)


def said(message):
    """Return what a Message says."""
    m = message
    ids = (m.id, m.sender, m.to, m.in_reply_to)
    return (m.kind_code, m.name, ids, m.flags, m.user, m.missed, m.wants_reply, m.data)


def text(entry):
    """Return the same of the model's message."""
    m = entry.msg
    own = m.reply_serial if entry.why == "answer" else 0
    ids = ((m.net, m.serial), (m.sender_net, m.sender), m.to, own)
    asked = entry.why == "ask"
    return (m.kind, m.name, ids, m.flags, m.user, entry.missed, asked, m.data)


def queued(hot):
    """Return what waits for a Ksock, in its ring and in its log, without touching it.

    Each message with what was missed before it, and in the end what was missed since.
    """
    lines = []
    for i in range(hot.count):
        binding = hot.binding_at(i)
        asked = binding is not None and binding.replier
        lines.append(_look(hot.slot_at(i), asked) + (hot.gaps[(hot.head + i) % hot.capacity],))
    gap = hot.missed_next
    slot = hot.cursor.next
    while slot is not None:
        lines.append(_look(slot, False) + (gap,))
        gap = 0
        slot = slot.next
    return lines + [gap]


def _look(slot, asked):
    ids = (slot.net, slot.serial, slot.sender, slot.to, slot.reply_net, slot.reply_serial)
    user = slot.user if slot.kind != STATUS else 0
    flags = slot.flags & 0xFFFF
    return (slot.kind, slot.name.text, ids, flags, user, bytes(slot.data[: slot.size]), asked)


def expected(image):
    """Return the same of the model's queue."""
    lines = []
    for e in image.queue:
        m = e.msg
        ids = (m.net, m.serial, m.sender, m.to, m.reply_net, m.reply_serial)
        asked = e.why == "ask"
        lines.append((m.kind, m.name, ids, m.flags, m.user, m.data, asked, e.missed))
    return lines + [image.missed]
