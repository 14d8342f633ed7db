from decimal import Decimal

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models


class Person(AbstractBaseUser):
    """A host's own user: an integer key, a name, and no e-mail."""

    id = models.BigAutoField(primary_key=True)
    login = models.CharField(max_length=50, unique=True)

    USERNAME_FIELD = "login"


class Seller(Person):
    """A user by inheritance: its key is a relation to whom it inherits from."""


class Thing(models.Model):
    """Something to list: names need not be unique."""

    name = models.CharField(max_length=20)
    price = models.DecimalField(default=Decimal(0))


class Work(models.Model):
    """Something that is begun in one transaction and done in another."""

    id = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=20)
    is_done = models.BooleanField(default=False)


class Letters(models.Field):
    """A host's own kind of column: text of one length."""

    def db_type(self, connection):
        return "char(4)"


class Badge(models.Model):
    """Something with a key of a host's own kind."""

    id = Letters(primary_key=True)
