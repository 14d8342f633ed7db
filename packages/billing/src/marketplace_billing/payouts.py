"""Payouts: a provider's available balance is sent to them."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser

from marketplace_kit.money import rounded
from marketplace_kit.transactions import action

from . import ledger
from .conf import conf
from .exceptions import NothingToPayOut, OnlyProviders
from .models import Entry, Payout
from .signals import payout_paid


def refuse_all_but_providers(user: AbstractBaseUser) -> None:
    """OnlyProviders."""
    if not conf.call("IS_PROVIDER", user):
        raise OnlyProviders


@action
def pay_out(user: AbstractBaseUser, currency: str) -> Payout:
    """Send all that is available in a currency. OnlyProviders, NothingToPayOut."""
    refuse_all_but_providers(user)
    _lock(user.pk)
    return _sent(user.pk, currency)


@action
def pay_out_all(user_id: Any) -> list[Payout]:
    """Send all that is available, in every currency; where nothing is, nothing."""
    _lock(user_id)
    return [_sent(user_id, balance.currency) for balance in ledger.balances(user_id) if balance.available > 0]


def _lock(user_id: Any) -> None:
    """One payout of a provider at a time: locks their row. Other rows may still be written that point to it."""
    get_user_model()._base_manager.select_for_update(no_key=True).get(pk=user_id)


def _sent(user_id: Any, currency: str) -> Payout:
    available = Entry.objects.available_to(user_id, currency).credit()
    if available <= 0:
        raise NothingToPayOut
    payout = Payout.objects.create(provider_id=user_id, amount=rounded(available, currency), currency=currency)
    ledger.post_payout(payout)
    payout_paid.send(sender=Payout, payout=payout)
    return payout
