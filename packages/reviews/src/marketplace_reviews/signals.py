"""The facts that reviews announce, inside the transaction that makes them so."""

from django.dispatch import Signal

# Each sends `review: Review`, with its booking and service at hand, and `actor_id`, the user who wrote. Neither side
# can be erased until the transaction ends.
review_created = Signal()  # by the customer
review_replied = Signal()  # by the provider, and again if the reply changes
