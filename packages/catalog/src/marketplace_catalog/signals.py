"""The facts that the catalog announces, inside the transaction that makes them so."""

from django.dispatch import Signal

service_created = Signal()  # service: Service
service_changed = Signal()  # service: Service
service_deleted = Signal()  # service: Service
