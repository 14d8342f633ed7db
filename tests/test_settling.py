"""What is pending is settled in a real system: by the gateway's webhook over HTTP, or by being looked up."""

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest

from marketplace.running.system import System, environment

WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SERVICE = {
    "title": "Yoga",
    "description": "On the mat.",
    "category": "yoga",
    "price": 50,
    "currency": "USD",
    "duration": 60,
    "timezone": "UTC",
    "availability": {day: ["00:00", "24:00"] for day in WEEK},
}
# method: what is answered, what becomes of it, within so many seconds
SETTLED = {
    "mock_pending": ("pending", "succeeded", 20),
    "mock_pending_failure": ("pending", "failed", 20),
    "mock_timeout": ("pending", "succeeded", 60),
}


@pytest.fixture(scope="module")
def system():
    with System(demo_data=False, env={"RATELIMIT_ENABLE": "0"}) as running:
        yield running


def register(system, role):
    body = {
        "email": f"{role}@example.com",
        "password": "correct horse battery",
        "role": role,
        "profile": {"firstName": "Ada", "lastName": "Lovelace"},
    }
    answer = httpx.post(f"{system.url}/api/v1/auth/register", json=body, timeout=30).raise_for_status()
    headers = {"Authorization": f"Bearer {answer.json()['access']}"}
    return httpx.Client(base_url=f"{system.url}/api/v1", headers=headers, timeout=30)


def until(client, path, status, seconds):
    """What is there once it has this status, or when the time is over, and half a minute for a loaded machine."""
    over = time.monotonic() + seconds + 30
    while (found := client.get(path).json())["status"] != status and time.monotonic() < over:
        time.sleep(0.5)
    return found["status"]


def test_each_is_settled_in_its_time_and_all_books_agree(system):
    provider, customer = register(system, "provider"), register(system, "customer")
    service = provider.post("/services", json=SERVICE).raise_for_status().json()
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=2)
    payments = {}
    for number, (method, (answered, _, _)) in enumerate(SETTLED.items()):
        slot = {"serviceId": service["id"], "scheduledAt": (start + timedelta(hours=2 * number)).isoformat()}
        booking = customer.post("/bookings", json=slot).raise_for_status().json()
        answer = customer.post("/payments", json={"bookingId": booking["id"], "paymentMethod": method})
        assert (answer.status_code, answer.json()["status"]) == (201, answered)
        payments[method] = answer.json()["id"]

    for method, (_, ends, seconds) in SETTLED.items():
        assert until(customer, f"/payments/{payments[method]}", ends, seconds) == ends, method
    command = [Path(sys.executable).with_name("marketplace"), "reconcile", "--data-dir", system.data_dir]
    proof = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment())

    assert proof.returncode == 0, proof.stdout + proof.stderr
    assert proof.stdout.splitlines()[1].split() == ["USD", "100.00", "0.00", "100.00", "100.00"]
    # It came by HTTP, and not only by being looked up.
    with psycopg.connect(system.servers["DATABASE_URL"]) as connection:
        told = connection.execute("SELECT event_id FROM marketplace_billing_gatewayevent").fetchall()
    assert {event_id for (event_id,) in told} == {f"msg_mock_ch_{payments[m]}" for m in SETTLED if "pending" in m}
