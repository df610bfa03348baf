# SPDX-License-Identifier: MIT
"""A small unittest for MicroPython, which brings none: the part that the portable tests use.

Rules: the names and their meaning are CPython's; what is missing here raises AttributeError, so
that a test cannot silently check less on a board. There is no skipping. A failure in one subTest
is told and counted, and the test goes on. `main` leaves with status 1 on a failure and when no
test ran at all.
"""

import sys


class _Raises:
    """What assertRaises gives a `with`: checks at the end, and keeps the exception."""

    def __init__(self, expected):
        self._expected = expected
        self.exception = None

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            raise AssertionError("%r was not raised" % (self._expected,))
        if not issubclass(kind, self._expected):
            return False
        self.exception = value
        return True


class _SubTest:
    """A part of a test whose failure does not end the test."""

    def __init__(self, case, message, parameters):
        self._case = case
        self._text = " ".join([str(m) for m in (message,) if m is not None] + [repr(parameters)])

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            return False
        if not issubclass(kind, Exception):
            return False
        self._case._result._fail(self._case._label + " [" + self._text + "]", value)
        return True


class TestCase:
    """One set of tests: each method whose name begins with `test` runs on a fresh object."""

    def __init__(self, result=None, label=""):
        self._result = result
        self._label = label
        self._cleanups = []

    @classmethod
    def setUpClass(cls):
        pass

    @classmethod
    def tearDownClass(cls):
        pass

    def setUp(self):
        pass

    def tearDown(self):
        pass

    def addCleanup(self, function, *args, **kwargs):
        self._cleanups.append((function, args, kwargs))

    def doCleanups(self):
        while self._cleanups:
            function, args, kwargs = self._cleanups.pop()
            function(*args, **kwargs)

    def subTest(self, msg=None, **parameters):
        return _SubTest(self, msg, parameters)

    def fail(self, msg=None):
        raise AssertionError(msg or "failed")

    def _check(self, good, text, msg):
        if not good:
            raise AssertionError(text if msg is None else "%s: %s" % (text, msg))

    def assertEqual(self, a, b, msg=None):
        self._check(a == b, "%r != %r" % (a, b), msg)

    def assertNotEqual(self, a, b, msg=None):
        self._check(a != b, "%r == %r" % (a, b), msg)

    def assertAlmostEqual(self, a, b, places=7, msg=None, delta=None):
        limit = 10**-places / 2 if delta is None else delta
        self._check(a == b or abs(a - b) <= limit, "%r is not nearly %r" % (a, b), msg)

    def assertTrue(self, x, msg=None):
        self._check(x, "%r is not true" % (x,), msg)

    def assertFalse(self, x, msg=None):
        self._check(not x, "%r is not false" % (x,), msg)

    def assertIs(self, a, b, msg=None):
        self._check(a is b, "%r is not %r" % (a, b), msg)

    def assertIsNot(self, a, b, msg=None):
        self._check(a is not b, "both are %r" % (a,), msg)

    def assertIsNone(self, x, msg=None):
        self._check(x is None, "%r is not None" % (x,), msg)

    def assertIsNotNone(self, x, msg=None):
        self._check(x is not None, "unexpectedly None", msg)

    def assertIn(self, a, b, msg=None):
        self._check(a in b, "%r is not in %r" % (a, b), msg)

    def assertNotIn(self, a, b, msg=None):
        self._check(a not in b, "%r is in %r" % (a, b), msg)

    def assertIsInstance(self, x, kind, msg=None):
        self._check(isinstance(x, kind), "%r is no %r" % (x, kind), msg)

    def assertNotIsInstance(self, x, kind, msg=None):
        self._check(not isinstance(x, kind), "%r is a %r" % (x, kind), msg)

    def assertLess(self, a, b, msg=None):
        self._check(a < b, "%r is not less than %r" % (a, b), msg)

    def assertLessEqual(self, a, b, msg=None):
        self._check(a <= b, "%r is greater than %r" % (a, b), msg)

    def assertGreater(self, a, b, msg=None):
        self._check(a > b, "%r is not greater than %r" % (a, b), msg)

    def assertGreaterEqual(self, a, b, msg=None):
        self._check(a >= b, "%r is less than %r" % (a, b), msg)

    def assertRaises(self, expected, function=None, *args, **kwargs):
        context = _Raises(expected)
        if function is None:
            return context
        with context:
            function(*args, **kwargs)


class TestResult:
    """What a run has counted."""

    def __init__(self):
        self.testsRun = 0
        self.failures = []

    def _fail(self, label, e):
        self.failures.append(label)
        print("FAIL", label)
        sys.print_exception(e)

    def wasSuccessful(self):
        return not self.failures and self.testsRun > 0

    def _guard(self, label, function):
        try:
            function()
        except Exception as e:  # KeyboardInterrupt and SystemExit end the run
            self._fail(label, e)
            return False
        return True

    def _run_test(self, cls, name):
        label = cls.__name__ + "." + name
        self.testsRun += 1
        case = cls()
        # A test class may have an __init__ of its own, as on CPython it hardly ever does.
        case._result, case._label, case._cleanups = self, label, []
        if self._guard(label, case.setUp):
            self._guard(label, getattr(case, name))
            self._guard(label, case.tearDown)
        self._guard(label, case.doCleanups)

    def run_class(self, cls):
        """Run every test of a class, in the order of their names."""
        names = [name for name in sorted(dir(cls)) if name.startswith("test")]
        if names and self._guard(cls.__name__ + ".setUpClass", cls.setUpClass):
            for name in names:
                self._run_test(cls, name)
            self._guard(cls.__name__ + ".tearDownClass", cls.tearDownClass)

    def run_module(self, module):
        """Run every test class of a module; `load_tests` and functions are not looked at."""
        for name in sorted(dir(module)):
            thing = getattr(module, name)
            if isinstance(thing, type) and issubclass(thing, TestCase) and thing is not TestCase:
                self.run_class(thing)


def main(module="__main__"):
    """Run a module's tests and leave with status 0 or 1."""
    result = TestResult()
    result.run_module(sys.modules[module] if module in sys.modules else __import__(module))
    print("ran %d tests, %d failed" % (result.testsRun, len(result.failures)))
    sys.exit(0 if result.wasSuccessful() else 1)
