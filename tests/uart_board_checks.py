# SPDX-License-Identifier: MIT
"""A board's UART, with a `machine` that is made up: run on CPython and on the MicroPython VMs.

check_all(module, modules) gets MicroPython's port/uart.py as a module, and sys.modules.
"""

DATA = {"uart": 1, "tx": 4, "rx": 5, "baud": 9600}


class Machine:
    """What `import machine` gives: it keeps what it was asked for."""

    def __init__(self, **of_uart):
        class Pin:
            def __init__(self, number):
                self.number = number

        class UART:
            def __init__(self, number, **options):
                if number > 1:
                    raise ValueError("UART(%d) doesn't exist" % number)
                self.number = number
                self.options = options
                self.alive = True
                self.irqs = []
                made.append(self)

            def readinto(self, buf):
                return None

            def write(self, buf, start, count):
                return count

            def deinit(self):
                self.alive = False

        made = self.made = []
        for name in of_uart:
            setattr(UART, name, of_uart[name])
        self.Pin = Pin
        self.UART = UART


def irq(self, handler, trigger):
    self.irqs.append((handler, trigger))


def no_irq(self, handler, trigger):
    raise ValueError("trigger")


def opened(module, modules, machine, **more):
    """Open a UART on that machine; return the stream and the UART that was made."""
    settings = dict(DATA)
    settings.update(more)
    modules["machine"] = machine
    stream = module.open_uart(settings)
    return stream, machine.made[-1]


def refused(module, modules, machine, **more):
    try:
        opened(module, modules, machine, **more)
    except OSError as e:
        return e.args[0], str(e.args[1])
    raise AssertionError("it was opened")


def check_plain(module, modules):
    """Nothing blocks, much can wait unread, little unsent; no flow control unless asked for."""
    stream, uart = opened(module, modules, Machine())
    options = uart.options
    assert (uart.number, options["baudrate"], "baud" in options) == (1, 9600, False)
    assert (options["tx"].number, options["rx"].number) == (4, 5)
    assert options["timeout"] == options["timeout_char"] == 0
    assert options["rxbuf"] >= 1024 and options["txbuf"] <= 256
    assert "flow" not in options and "rts" not in options
    assert stream.pollable is uart
    stream.notify(len)  # no interrupt here: nothing to be done
    assert opened(module, modules, Machine(), rxbuf=4096)[1].options["rxbuf"] == 4096


def check_flow(module, modules):
    """A pin for flow control is heeded, by the bits of that board."""
    for pins, bits in (({"rts": 6}, 1), ({"cts": 7}, 2), ({"rts": 6, "cts": 7}, 3)):
        _, uart = opened(module, modules, Machine(RTS=1, CTS=2), **pins)
        assert uart.options["flow"] == bits
        for name in pins:
            assert uart.options[name].number == pins[name]
    _, uart = opened(module, modules, Machine(RTS=1, CTS=2), rts=6, flow=8)
    assert uart.options["flow"] == 8
    number, text = refused(module, modules, Machine(), rts=6)
    assert number == 19 and "no flow control" in text


def check_irq(module, modules):
    """Bytes that come wake the bus, by the interrupt that the board has; also when reopened."""
    for names, trigger in (
        ({"IRQ_RXIDLE": 8, "IRQ_RX": 1}, 8),
        ({"IRQ_RX": 1}, 1),
        ({"RX_ANY": 2}, 2),
    ):
        woken = []
        stream, uart = opened(module, modules, Machine(irq=irq, **names))
        assert uart.irqs == []
        stream.notify(lambda woken=woken: woken.append(1))
        (handler, of), *_ = uart.irqs
        assert of == trigger
        handler(uart)
        assert woken == [1]
        machine = modules["machine"]
        stream.close()
        assert not uart.alive
        assert stream.reopen() is True
        assert machine.made[-1].irqs == [] and machine.made[-1] is stream.pollable
        stream.notify(lambda woken=woken: woken.append(2))
        machine.made[-1].irqs[0][0](uart)
        assert woken == [1, 2]


def check_no_irq(module, modules):
    """A board that has none, or not for this, goes on looking."""
    for of_uart in (
        {"irq": no_irq, "IRQ_RX": 1},
        {"irq": irq},
        {"IRQ_RX": 1},
    ):
        stream, _ = opened(module, modules, Machine(**of_uart))
        stream.notify(len)


def check_refusals(module, modules):
    number, text = refused(module, modules, Machine(), uart=7)
    assert number == 19 and "no such UART on this board" in text and "UART(7)" in text


def check_all(module, modules):
    before = modules.get("machine")
    try:
        for check in (check_plain, check_flow, check_irq, check_no_irq, check_refusals):
            check(module, modules)
    finally:
        if before is None:
            del modules["machine"]
        else:
            modules["machine"] = before
