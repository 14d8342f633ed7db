from django.apps import AppConfig


class SchedulingConfig(AppConfig):
    name = "marketplace_scheduling"
    label = "marketplace_scheduling"
    verbose_name = "Scheduling"
    default_auto_field = "django.db.models.BigAutoField"
