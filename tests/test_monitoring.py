"""What docs/monitoring/ gives to Prometheus and Grafana, by Prometheus's own tool."""

import json
import re

import pytest
import yaml
from tests.observing import MONITORING, promtool

ALERTS = [
    rule for group in yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text())


def expressions() -> list[str]:
    """Whatever the dashboard asks, with times where Grafana would put them."""
    asked = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
    return [expression.replace("$__rate_interval", "1m") for expression in asked]


def watched_metrics() -> set[str]:
    """Whatever the dashboard and the alerts look at."""
    return set(re.findall(r"\bmarketplace_\w+", " ".join([*expressions(), *(alert["expr"] for alert in ALERTS)])))


# --- without a tool ---


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_each_alert_is_tested_where_it_is_told_and_where_it_is_not(alert):
    tests = yaml.safe_load((MONITORING / "alerts_test.yml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"] if case["alertname"] == alert["alert"]]

    assert {bool(case["exp_alerts"]) for case in cases} == {True, False}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_each_alert_says_how_bad_it_is_and_what_to_do(alert):
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert alert["annotations"].keys() == {"summary", "description"}


def test_no_two_panels_lie_on_one_another():
    taken = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


# --- by promtool ---


@pytest.mark.external
@pytest.mark.parametrize(
    "arguments",
    [("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml"), ("check", "config", "prometheus.yml")],
    ids=" ".join,
)
def test_promtool_is_content(arguments):
    assert promtool(*arguments) == ""


@pytest.mark.external
def test_each_expression_of_the_dashboard_parses(tmp_path):
    rules = [{"record": f"panel:{number}", "expr": asked} for number, asked in enumerate(expressions())]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))

    assert len(rules) > 20
    assert promtool("check", "rules", file) == ""


@pytest.mark.external
def test_control_an_expression_that_does_not_parse_is_told(tmp_path):
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "x", "rules": [{"record": "x", "expr": "sum(up"}]}]}))

    assert "could not parse expression" in promtool("check", "rules", file)
