"""The facts that accounts announces, and the questions it asks, inside the transaction that makes them so."""

from django.dispatch import Signal

user_registered = Signal()  # user: User
profile_changed = Signal()  # user: User, with its profile as it is now
user_deactivated = Signal()  # user_id: UUID; by staff
user_erased = Signal()  # user_id: UUID; the row is kept, without anything personal in it

# Questions.
user_erasing = Signal()  # user: User. A receiver raises a DomainError to refuse.
user_exporting = Signal()  # user: User. A receiver returns its part: a dict of JSON values, its keys in camelCase.
