# SPDX-License-Identifier: MIT
"""Benchmarks: our time beside that of others, for the same work, in the same run. `make bench`."""
