# SPDX-License-Identifier: MIT
"""To freeze the library into a firmware: `make stage`, then name this file as FROZEN_MANIFEST."""

metadata(version="0.1.0")
package("limpet", base_path="build/micropython")
