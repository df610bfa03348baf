# SPDX-License-Identifier: MIT
"""What a call allocates on MicroPython; on CPython nothing is measured, the call is only made.

Rule: three measures, as each misses something: heap_lock an allocation with a fallback, mem_alloc
what is given back at once; mem_total misses nothing, but only the Unix VMs have it.
"""

import gc


def cost(function) -> str:
    """Call function() and return what it allocated, "" for nothing; not in its first calls."""
    function()
    function()
    if not hasattr(gc, "mem_alloc"):
        return ""  # CPython
    import micropython

    gc.collect()
    gc.disable()
    kept = gc.mem_alloc()
    taken = micropython.mem_total()
    function()
    taken = micropython.mem_total() - taken
    kept = gc.mem_alloc() - kept
    locked = ""
    micropython.heap_lock()
    try:
        function()
    except MemoryError:
        locked = ", fails with the heap locked"
    finally:
        micropython.heap_unlock()
        gc.enable()
    return "%d bytes, %d of them kept%s" % (taken, kept, locked) if taken or kept or locked else ""
