# SPDX-License-Identifier: MIT
"""What the allocation test calls of layouts: fields of up to 30 bits, bools and bytes."""

from limpet import MessageView
from limpet.layout import Layout

HIGH = (1 << 30) - 1
LOW = -HIGH - 1  # so that it is a small number: -(1 << 30) is none on a board


class Scene:
    """One layout per order of bytes, and a view on a slot of another size."""

    def __init__(self):
        names = "b B h H i I q Q t s"
        self.layouts = [Layout(order + "bBhH2xiIqQ?4s", names) for order in "<>"]
        fields = self.layouts[0].fields + self.layouts[1].fields
        self.small_fields = [f for f in fields if f.code in "bBhHiIqQ"]
        self.large_fields = [f for f in fields if f.code in "iIqQ"]
        self.signed_fields = [f for f in fields if f.code in "iq"]
        self.buf = bytearray(self.layouts[0].size + 2)
        self.view = MessageView()
        self.text = b"abc"

    def holds(self, field, value):
        assert field.set(self.buf, value, 2)
        assert field.get(self.buf, 2) == value

    def small(self):
        for field in self.small_fields:
            self.holds(field, 99)

    def large(self):
        for field in self.large_fields:
            self.holds(field, HIGH)

    def negative(self):
        for field in self.signed_fields:
            self.holds(field, LOW)
            self.holds(field, -1)

    def refused(self):
        for field in self.small_fields:
            if field.size < 4:
                assert not field.set(self.buf, HIGH)
                assert not field.set(self.buf, LOW)

    def others(self):
        for layout in self.layouts:
            self.other(layout.fields[8], layout.fields[9])
            assert not layout.fits(self.buf) and not layout.fits(self.view)

    def other(self, switch, text):
        assert switch.set(self.buf, True) and switch.get(self.buf)
        assert text.set(self.buf, self.text)


def calls():
    """Return (what, function) for each call to be made with the heap locked."""
    scene = Scene()
    return [
        ("fields, small numbers", scene.small),
        ("fields, 30 bits", scene.large),
        ("fields, 30 bits and a sign", scene.negative),
        ("fields refuse", scene.refused),
        ("bools, bytes, fits", scene.others),
    ]
