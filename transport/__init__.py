# SPDX-License-Identifier: MIT
"""limpet.transport: drivers move bytes between a link and a wire. The protocol is not here."""
