from django.apps import AppConfig


class MockGatewayConfig(AppConfig):
    name = "marketplace_billing.gateways.mock"
    label = "marketplace_billing_mock"
    verbose_name = "Mock gateway"
    default_auto_field = "django.db.models.BigAutoField"
