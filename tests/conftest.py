# SPDX-License-Identifier: MIT
"""Set-up of the tests on CPython: a staged tree that is up to date, hypothesis without a clock.

Rules: where build/cpython was staged once, the tests import it, so it is staged anew before the
first of them; where it was not, `limpet` is the editable install.
"""

from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

import stage
from layout import BUILD

if (BUILD / "cpython" / "limpet").is_dir():
    stage.stage("cpython")

set_hypothesis_home_dir(BUILD / "hypothesis")
# The same examples in every run, and no verdict that depends on how busy the machine is.
settings.register_profile("limpet", deadline=None, derandomize=True, database=None)
settings.load_profile("limpet")
