"""Methods and bundles run under a protocol, with figures."""
