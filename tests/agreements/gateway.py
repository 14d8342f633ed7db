"""The gateway of `test_agreements.py`."""

from typing import Any

from marketplace_billing.gateways.mock.gateway import MockGateway
from marketplace_billing.gateways.protocol import GatewayError


class MoodyGateway(MockGateway):
    """The mock, which can be out of reach."""

    is_down = False

    def charge(self, **asked: Any) -> Any:
        self._reach()
        return super().charge(**asked)

    def refund(self, **asked: Any) -> Any:
        self._reach()
        return super().refund(**asked)

    def find_charge(self, key: str) -> Any:
        self._reach()
        return super().find_charge(key)

    def find_refund(self, key: str) -> Any:
        self._reach()
        return super().find_refund(key)

    def _reach(self) -> None:
        if MoodyGateway.is_down:
            raise GatewayError
