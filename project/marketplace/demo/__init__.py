"""The journey, played through the HTTP API by a client that knows nothing but the contract."""
