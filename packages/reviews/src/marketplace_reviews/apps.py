from django.apps import AppConfig


class ReviewsConfig(AppConfig):
    name = "marketplace_reviews"
    label = "marketplace_reviews"
    verbose_name = "Reviews"
    default_auto_field = "django.db.models.BigAutoField"
