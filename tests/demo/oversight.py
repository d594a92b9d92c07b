"""The scenes of the story in which people keep an eye on delivery: what they are told, and what they keep back."""

from targets import answer, reference, scim_users

OPEN = ("New", "Requested")


class Oversight:
    """What people are told and what they keep back. `alerts` is the list to which the engine's alerts are added."""

    def __init__(self, engine, alerts, names, targets, tell, fail):
        self._engine, self._alerts, self._names, self._targets = engine, alerts, names, targets
        self._tell, self._fail = tell, fail
        self._logged = 0  # the last log entry before what is kept back was let go

    def expect_alerts(self, step):
        """Since the last time, exactly these things were told that need a person."""
        alerts = list(self._alerts)
        self._alerts.clear()
        for alert in alerts:
            who = f"{self._names[alert.user]}: {alert.app}" if alert.user else alert.app
            self._tell(f"alert: {who}: {alert.kind}: {alert.advice}")
        told = sorted([alert.user or alert.app, alert.kind] for alert in alerts)
        self._compare(step["alerts"], told, f"alerts: {len(told) or 'none'}; nothing else needs a person")

    def maintenance(self, step):
        """A person says that a target is down, or that it is back."""
        self._logged = max((entry.sequence for entry in self._engine.log(app=step["app"])), default=0)
        self._engine.set_maintenance(step["app"], step["on"], by=step["by"])
        self._tell(f"{step['by']} {'begin' if step['on'] else 'end'} the maintenance of {step['app']}")

    def hold(self, step):
        """A person holds everything of one user."""
        held = self._engine.hold(user=step["user"], by=step["by"], reason=step["reason"])
        self._tell(f"{held.by} holds {self._names[held.user]}: {held.reason}")

    def resume(self, step):
        """The hold ends."""
        held = self._engine.resume(user=step["user"], by=step["by"])
        self._tell(f"{step['by']} lets {self._names[held.user]} go on")
        self._compare([], self._engine.holds(), "nothing is held any more")

    def expect_reasons(self, step):
        """Each request that is open for an app says what it waits for, and no other one is open."""
        found = [one for one in self._engine.requests(app=step["app"]) if one.state in OPEN]
        told = {request.user: [request.operation, request.waiting_for] for request in found}
        spoken = ", ".join(f"{self._names[who]}: {what} waits for {why}" for who, (what, why) in told.items())
        self._compare(step["waiting"], told, spoken)

    def expect_gap(self, step):
        """The metrics show the removals of access that are open and for how long; the scraper's text says the same."""
        text = self._engine.open_metrics().splitlines()
        for name, value in step["samples"].items():
            sample = f'{name}{{app="{step["app"]}"}}'
            shown = [line for line in text if line.startswith(sample)]
            self._compare([f"{sample} {value}"], shown, f"{sample} {value}")

    def expect_usable(self, step):
        """Asked over plain HTTP, the server says whether the person can still work there."""
        accounts = {reference(user): user["id"] for user in scim_users(self._targets[step["app"]])}
        shown = answer(self._targets[step["app"]], f"/Users/{accounts[step['user']]}")["active"]
        can = "can" if shown else "cannot"
        spoken = f"{self._names[step['user']]} {can} work in {step['app']}, says the server"
        self._compare(step["usable"], shown, spoken)

    def expect_order(self, step):
        """What was kept back was sent in this order."""
        entries = self._engine.log(app=step["app"], after=self._logged)
        sent = [entry.user for entry in entries if entry.kind == "sending"]
        self._compare(step["users"], sent, f"sent in this order: {', '.join(self._names[who] for who in sent)}")

    def _compare(self, expected, told, text):
        if told != expected:
            self._tell(f"should be {expected}", mark="✗")
            self._tell(f"is        {told}", mark="✗")
            raise self._fail("delivery is not as people were told")
        self._tell(text, mark="✓")
