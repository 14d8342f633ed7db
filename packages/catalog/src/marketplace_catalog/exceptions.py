"""Every refusal of the catalog."""

from marketplace_kit.exceptions import DomainError


class ProviderRequired(DomainError):
    """Only providers can offer services."""

    status = 403
    code = "provider_required"


class NotYourService(DomainError):
    """This service belongs to another provider."""

    status = 403
    code = "not_your_service"


class TooManyFiles(DomainError):
    """A service can have at most 20 images and 20 documents."""

    code = "too_many_files"
