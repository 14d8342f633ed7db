"""The admin of the whole: what support needs and no package knows by itself. docs/admin.md tells how it is used.

Packages register pages of their own. Here those that see beyond their package take the place of theirs.
"""

from django.contrib import admin

from . import bookings, jobs, log, payments, users  # noqa: F401  (each registers its pages)

admin.site.site_header = admin.site.site_title = "marketplace"
admin.site.index_title = "Support"
