from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models


class Person(AbstractBaseUser):
    """A host's own user: an integer key, a name, and no e-mail."""

    id = models.BigAutoField(primary_key=True)
    login = models.CharField(max_length=50, unique=True)
    first_name = models.CharField(max_length=50, default="Pat")
    last_name = models.CharField(max_length=50, default="Doe")
    sells = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)

    USERNAME_FIELD = "login"
