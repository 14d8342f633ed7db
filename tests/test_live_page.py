"""The live page and the docs in a real browser, against a system of its own."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.test_up import named

from marketplace.running.system import System
from marketplace.seeding import CUSTOMER, PASSWORD, PROVIDER

pytestmark = pytest.mark.external
PATIENCE = 60  # seconds; a loaded machine is slow


@pytest.fixture(scope="module")
def system():
    with System(env={"RATELIMIT_SIGN_IN_EMAIL": "100/m"}) as system:
        yield system


@pytest.fixture
def page(system, chromium):
    """The live page, of which no test may leave a complaint unread."""
    chromium.resize(1000)
    chromium.dim(False)
    chromium.open(system.url)
    yield chromium
    assert chromium.complaints == []


class Api:
    """Somebody at the API, beside the page."""

    def __init__(self, system, email):
        self.http = httpx.Client(base_url=f"{system.url}/api/v1", timeout=PATIENCE)
        session = self.call("POST", "/auth/login", json={"email": email, "password": PASSWORD})
        self.http.headers["Authorization"] = f"Bearer {session['access']}"

    def call(self, method, path, **options):
        answer = self.http.request(method, path, **options)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


@pytest.fixture(scope="module")
def provider(system):
    return Api(system, PROVIDER)


@pytest.fixture(scope="module")
def customer(system):
    return Api(system, CUSTOMER)


def sign_in(page, email):
    page.one(f'[data-email="{email}"]').click()
    page.until(lambda: page.one("#state").text == "Connected")


def shown(page):
    """The notifications on the page, newest first."""
    return page.run("return [...document.querySelectorAll('#inbox li')].map((entry) => entry.dataset.id)")


def inbox(api):
    return [notification["id"] for notification in api.call("GET", "/notifications", params={"limit": 50})["items"]]


def unread(page):
    return int((page.one("#unread").text or "0 unread").split()[0])


def book(customer, provider):
    """Something that the provider is told."""
    query = {"providerId": provider.call("GET", "/users/me")["id"]}
    service = customer.call("GET", "/services", params=query)["items"][0]["id"]
    start = datetime.now(UTC) + timedelta(days=1)
    span = {"from": start.isoformat(), "to": (start + timedelta(days=14)).isoformat()}
    slot = customer.call("GET", f"/services/{service}/slots", params=span)["items"][0]
    customer.call("POST", "/bookings", json={"serviceId": service, "scheduledAt": slot["start"]})


def test_it_says_what_is_running_and_where_to_go(page):
    page.until(lambda: len(page.all("#parts li.ok")) == 4)
    assert [part.text for part in page.all("#parts li")] == ["API", "database", "cache", "storage"]
    links = [link.get_attribute("href") for link in page.all("nav a")]
    assert [httpx.get(link, follow_redirects=True).status_code for link in links] == [200, 200, 200]


def test_a_wrong_password_is_told(page):
    page.one("[name=email]").send_keys("nobody@example.com")
    page.one("[name=password]").send_keys("wrong\n")
    page.until(lambda: page.one("#refusal").text)
    assert "401" in page.complaints[0]  # the browser's own line
    assert page.one("#door").is_displayed()


def test_an_event_arrives_and_is_read(page, provider):
    sign_in(page, PROVIDER)
    page.until(lambda: shown(page) == inbox(provider))
    before = shown(page)

    page.one("#happen").click()
    page.until(lambda: len(shown(page)) == len(before) + 1)

    assert shown(page)[1:] == before
    assert page.one("#inbox li:first-child small").text.endswith("booking.created")
    assert page.one("#news").get_attribute("textContent").startswith("New: New booking")
    count = unread(page)
    page.one("#inbox li:first-child button").click()
    page.until(lambda: unread(page) == count - 1)
    page.one("#read-all").click()
    page.until(lambda: not unread(page))
    assert not page.all("#inbox li.new")
    assert provider.call("GET", "/notifications/unread-count") == {"count": 0}


def test_a_customer_sees_his_booking_confirmed(page, customer):
    sign_in(page, CUSTOMER)
    page.until(lambda: shown(page) == inbox(customer))
    page.one("#happen").click()
    page.until(lambda: page.all("#inbox li:first-child small")[0].text.endswith("booking.confirmed"))


@pytest.mark.parametrize("seen_one", [True, False], ids=["after an event", "before any event"])
def test_a_stream_that_dies_goes_on_and_nothing_is_lost_or_doubled(page, system, provider, customer, seen_one):
    sign_in(page, PROVIDER)
    page.until(lambda: shown(page) == inbox(provider))
    if seen_one:
        book(customer, provider)
        page.until(lambda: shown(page) == inbox(provider))
    page.run("""
        window.states = [];
        const state = document.getElementById("state");
        new MutationObserver(() => window.states.push(state.textContent)).observe(state, { childList: true });
    """)
    [process] = named(system.data_dir, "cli stream")
    process.suspend()  # it serves nobody any more, and does not know it
    for _ in range(3):
        book(customer, provider)
    process.kill()

    page.until(lambda: page.run("return window.states.at(-1)") == "Connected")
    page.until(lambda: shown(page) == inbox(provider))
    book(customer, provider)
    page.until(lambda: shown(page) == inbox(provider))

    assert page.run("return window.states[0]").startswith("Connection lost")
    assert set(Counter(shown(page)).values()) == {1}
    # The browser itself writes down that a connection broke. Nothing else went wrong.
    assert [line for line in page.complaints if "/notifications/stream?" not in line] == []


def test_an_access_token_that_is_over_is_renewed_once(page):
    sign_in(page, PROVIDER)
    page.run("""
        const real = window.fetch;
        let old = null;
        window.renewals = 0;
        window.fetch = (url, options = {}) => {
          const token = options.headers?.Authorization;
          window.renewals += String(url).endsWith("/auth/refresh");
          if (token && token === (old ??= token)) {
            return Promise.resolve(new Response('{"detail": "It is over."}', { status: 401 }));
          }
          return real(url, options);
        };
    """)
    boxes = page.all("#preferences input")
    page.one("#preferences summary").click()
    for box in boxes[:3]:
        box.click()
    page.until(lambda: page.run("return window.renewals"))
    for box in boxes[:3]:
        box.click()

    page.until(lambda: all(wish["email"] and wish["inApp"] for wish in wishes(page)))
    assert page.run("return window.renewals") == 1


def wishes(page):
    """What the page's user is told, as the page shows it and as the API has it."""
    return [{"email": e.is_selected(), "inApp": i.is_selected()} for i, e in pairs(page.all("#preferences input"))]


def pairs(elements):
    return list(zip(elements[::2], elements[1::2], strict=True))


def test_a_link_in_a_mail_leads_to_the_preferences(page, system, customer):
    page.open(f"{system.url}/#preferences")
    sign_in(page, CUSTOMER)
    name = page.run("return document.activeElement.textContent")
    assert name == "Choose your notifications"
    box = page.one('[aria-label="booking.reminder by e-mail"]')
    box.click()
    kept = lambda: {w["type"]: w["email"] for w in customer.call("GET", "/notifications/preferences")["items"]}  # noqa: E731
    page.until(lambda: not kept()["booking.reminder"])
    box.click()
    page.until(lambda: kept()["booking.reminder"])


def test_who_signs_out_is_told_nothing_more(page, customer, provider):
    sign_in(page, PROVIDER)
    page.until(lambda: shown(page))
    page.one("#leave").click()
    assert (shown(page), page.one("#door").is_displayed(), page.one("#room").is_displayed()) == ([], True, False)
    assert page.run("return document.activeElement.name") == "email"
    book(customer, provider)
    sign_in(page, CUSTOMER)
    page.until(lambda: shown(page) == inbox(customer))


# --- for everybody ---


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_can_be_read_and_used_on_a_small_screen_light_and_dark(page, dark):
    page.resize(360)
    page.dim(dark)
    assert (page.overhang, page.faint, nameless(page)) == (0, [], [])
    sign_in(page, PROVIDER)
    page.until(lambda: shown(page))
    page.one("#preferences summary").click()
    assert (page.overhang, page.faint, nameless(page)) == (0, [], [])


def nameless(page):
    """What a screen reader has no words for."""
    usable = [element for element in page.all("a, button, input, summary") if element.is_displayed()]
    return [element.get_attribute("outerHTML") for element in usable if not element.accessible_name]


# --- the docs ---


def test_the_docs_work_under_the_policy(page, system):
    page.open(f"{system.url}/api/docs")
    page.until(lambda: page.all(".opblock"))
    page.all(".opblock-summary-control")[0].click()
    page.until(lambda: page.all(".opblock-body"))
