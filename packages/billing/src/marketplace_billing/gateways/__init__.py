"""Payment gateways: the protocol, and one module for each that is known."""
