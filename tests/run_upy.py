# SPDX-License-Identifier: MIT
"""Run portable tests on MicroPython: `micropython tests/run_upy.py [folder/]test_name ...`.

Rules: without names every test_*.py beside this file runs. The last line counts; the status is 1
if any test failed, a file cannot be imported, a file has no test in it, or there was no file at
all.
"""

import os
import sys

HERE = sys.argv[0].rsplit("/", 1)[0] if "/" in sys.argv[0] else "."
for folder in (HERE, HERE + "/../build/micropython", HERE + "/upy"):
    if folder not in sys.path:
        sys.path.insert(0, folder)

import unittest  # noqa: E402


def found():
    """Return the names of the test files beside this one, in order."""
    names = [n for n in os.listdir(HERE) if n.startswith("test_") and n.endswith(".py")]
    return [name[:-3] for name in sorted(names)]


def run(result, path):
    """Run one file's tests; a file that has none has failed."""
    folder, _, name = path.rpartition("/") if "/" in path else ("", "", path)
    if folder and folder not in sys.path:
        sys.path.insert(0, folder)
    before = result.testsRun
    try:
        module = __import__(name[:-3] if name.endswith(".py") else name)
    except Exception as e:
        result._fail(path, e)
        return
    result.run_module(module)
    if result.testsRun == before:
        print("FAIL", path, "has no test")
        result.failures.append(path)


def main(names):
    """Run the named files, or all."""
    result = unittest.TestResult()
    for name in names or found():
        run(result, name)
    print("ran %d tests, %d failed" % (result.testsRun, len(result.failures)))
    return 0 if result.wasSuccessful() else 1


sys.exit(main(sys.argv[1:]))
