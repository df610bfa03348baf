# SPDX-License-Identifier: MIT
"""What a message looks like, as tuples that can be compared: of the bus, and of its model.

Rules: each function has a twin, which gives the same for the other side.
"""


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
