"""Every refusal of the catalog."""

from marketplace_kit.exceptions import DomainError


class ProviderRequired(DomainError):
    """Only a provider can offer services."""

    status = 403
    code = "provider_required"


class NotYourService(DomainError):
    """This service is another provider's."""

    status = 403
    code = "not_your_service"


class TooManyFiles(DomainError):
    """A service can have 20 images and 20 documents at the most."""

    code = "too_many_files"
