from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import UserManager
from django.db import models


class Person(AbstractBaseUser):
    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=50, unique=True)
    post = models.CharField(max_length=200, blank=True)

    USERNAME_FIELD = "name"
    EMAIL_FIELD = "post"

    objects = UserManager()
