# SPDX-License-Identifier: MIT
"""limpet.host: what only a host has. Nothing in lib/ or transport/ imports it."""
