# SPDX-License-Identifier: MIT
"""The small unittest that the portable tests use on MicroPython fails whenever it should."""

import importlib.util
import sys
import traceback

import pytest

from layout import ROOT


@pytest.fixture
def small(monkeypatch):
    """The module, with what MicroPython's sys has and CPython's lacks."""
    monkeypatch.setattr(sys, "print_exception", traceback.print_exception, raising=False)
    spec = importlib.util.spec_from_file_location("small", ROOT / "tests/upy/unittest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _run(small, **methods):
    """Run one test class made of the methods and return the result."""
    result = small.TestResult()
    result.run_class(type("Sample", (small.TestCase,), methods))
    return result


_GOOD = [
    lambda t: t.assertEqual(1, 1),
    lambda t: t.assertNotEqual(1, 2),
    lambda t: t.assertAlmostEqual(1.0, 1.00000001),
    lambda t: t.assertAlmostEqual(1, 2, delta=1),
    lambda t: t.assertTrue(1),
    lambda t: t.assertFalse(0),
    lambda t: t.assertIs(t, t),
    lambda t: t.assertIsNot(t, 1),
    lambda t: t.assertIsNone(None),
    lambda t: t.assertIsNotNone(0),
    lambda t: t.assertIn(1, [1]),
    lambda t: t.assertNotIn(2, [1]),
    lambda t: t.assertIsInstance(1, int),
    lambda t: t.assertNotIsInstance(1, str),
    lambda t: t.assertLess(1, 2),
    lambda t: t.assertLessEqual(2, 2),
    lambda t: t.assertGreater(2, 1),
    lambda t: t.assertGreaterEqual(2, 2),
    lambda t: t.assertRaises(ValueError, int, "x"),
    lambda t: t.assertRaises((KeyError, ValueError), int, "x"),
]
_BAD = [
    lambda t: t.assertEqual(1, 2),
    lambda t: t.assertNotEqual(1, 1),
    lambda t: t.assertAlmostEqual(1.0, 1.1),
    lambda t: t.assertAlmostEqual(1, 3, delta=1),
    lambda t: t.assertTrue(0),
    lambda t: t.assertFalse(1),
    lambda t: t.assertIs(t, 1),
    lambda t: t.assertIsNot(t, t),
    lambda t: t.assertIsNone(0),
    lambda t: t.assertIsNotNone(None),
    lambda t: t.assertIn(2, [1]),
    lambda t: t.assertNotIn(1, [1]),
    lambda t: t.assertIsInstance(1, str),
    lambda t: t.assertNotIsInstance(1, int),
    lambda t: t.assertLess(2, 2),
    lambda t: t.assertLessEqual(3, 2),
    lambda t: t.assertGreater(2, 2),
    lambda t: t.assertGreaterEqual(1, 2),
    lambda t: t.assertRaises(ValueError, int, "1"),
    lambda t: t.assertRaises(KeyError, int, "x"),
    lambda t: t.fail("no"),
    lambda t: t.no_such_method(),
    lambda t: t.addCleanup(int, "x"),
]


@pytest.mark.parametrize("index", range(len(_GOOD)))
def test_what_holds_passes(small, index):
    result = _run(small, test_it=_GOOD[index])
    assert result.wasSuccessful() and result.testsRun == 1


@pytest.mark.parametrize("index", range(len(_BAD)))
def test_what_does_not_hold_fails(small, index):
    result = _run(small, test_it=_BAD[index])
    assert not result.wasSuccessful() and result.testsRun == 1
    assert result.failures == ["Sample.test_it"]


def test_no_test_is_no_success(small):
    assert not _run(small).wasSuccessful()
    assert not _run(small, helper=lambda t: None).wasSuccessful()


def test_each_bad_subtest_counts_and_the_test_goes_on(small):
    seen = []

    def test_it(t):
        for i in range(4):
            with t.subTest(i=i):
                t.assertEqual(i % 2, 0)
        seen.append("end")

    result = _run(small, test_it=test_it)
    assert len(result.failures) == 2 and seen == ["end"]


def test_the_order_of_set_up_and_cleaning(small):
    seen = []

    def test_it(t):
        t.addCleanup(seen.append, "first added")
        t.addCleanup(seen.append, "last added")
        seen.append("test")
        t.fail()

    result = _run(
        small,
        setUpClass=classmethod(lambda c: seen.append("setUpClass")),
        tearDownClass=classmethod(lambda c: seen.append("tearDownClass")),
        setUp=lambda t: seen.append("setUp"),
        tearDown=lambda t: seen.append("tearDown"),
        test_it=test_it,
    )
    assert not result.wasSuccessful()
    assert seen == "setUpClass,setUp,test,tearDown,last added,first added,tearDownClass".split(",")


@pytest.mark.parametrize("name", ["setUp", "tearDown"])
def test_a_broken_set_up_fails(small, name):
    assert not _run(small, **{name: lambda t: 1 / 0, "test_it": lambda t: None}).wasSuccessful()


def test_a_broken_class_set_up_fails(small):
    broken = classmethod(lambda c: 1 / 0)
    assert not _run(small, setUpClass=broken, test_it=lambda t: None).wasSuccessful()
    assert not _run(small, tearDownClass=broken, test_it=lambda t: None).wasSuccessful()


def test_what_was_raised_can_be_looked_at(small):
    def test_it(t):
        with t.assertRaises(OSError) as caught:
            raise OSError(5, "x")
        t.assertEqual(caught.exception.errno, 5)

    assert _run(small, test_it=test_it).wasSuccessful()


def test_main_leaves_with_a_status(small, monkeypatch):
    for methods, status in (({"test_it": lambda t: None}, 0), ({"test_it": _BAD[0]}, 1), ({}, 1)):
        module = type(sys)("sample")
        module.Sample = type("Sample", (small.TestCase,), methods)
        monkeypatch.setitem(sys.modules, "sample", module)
        with pytest.raises(SystemExit) as caught:
            small.main("sample")
        assert caught.value.code == status
