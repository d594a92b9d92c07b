package rollkeeper

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAConnectorInGoPassesTheConformanceSuite(t *testing.T) {
	report, err := CheckConnector(newMemory(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range report.Checks {
		if !check.Passed {
			t.Errorf("%s: %s", check.Name, check.Message)
		}
	}
	if len(report.Checks) < 10 || !report.Passed {
		t.Errorf("the suite ran %d checks, passed: %t", len(report.Checks), report.Passed)
	}
}

type forgetful struct{ *memory }

func (forgetful) Deactivate(string) error { return nil }

func TestTheSuiteFindsAConnectorThatForgets(t *testing.T) {
	report, err := CheckConnector(forgetful{newMemory()}, map[string]any{"prefix": "forgetful"})
	if err != nil || report.Passed {
		t.Errorf("passed: %t, error: %v", report.Passed, err)
	}
}

const ticketApp = `{"id": "tickets", "connector": {"kind": "custom", "name": "tickets"},
	"assigned_to": {"profiles": ["Staff"]}, "create_without_match": true,
	"mapping": [{"target": "userName", "source": "username"}]}`

func TestAConnectorServesAnEngineFromSeveralThreadsButMayNotCallIt(t *testing.T) {
	engine := open(t, "", Options{})
	target := newMemory()
	reentered := make(chan error, 8)
	target.onCreate = func() {
		_, err := engine.App("tickets")
		reentered <- err
	}
	must(t, engine.RegisterConnector("tickets", target))
	_, err := engine.PutApp(ticketApp, "")
	must(t, err)
	result, err := engine.PutUsers([]map[string]any{
		{"id": "u1", "username": "ann", "profile": "Staff", "active": true},
		{"id": "u2", "username": "ben", "profile": "Staff", "active": true},
		{"username": "nobody"},
	}, "hr")
	must(t, err)
	if result.Stored != 2 || len(result.Faults) != 1 || result.Faults[0].Index != 2 || result.Faults[0].Code != ErrMissingID {
		t.Fatalf("unexpected result: %s", result.Raw)
	}
	progress, err := engine.Run(context.Background(), RunOptions{Workers: 4})
	must(t, err)
	if progress.Failed != 0 || target.creates != 2 {
		t.Errorf("%d creates, %s", target.creates, progress.Raw)
	}
	if err := <-reentered; !errors.Is(err, ErrReentrantCall) {
		t.Errorf("a callback entered its engine: %v", err)
	}
	accounts, err := collect(engine.Accounts(AccountFilter{App: "tickets", Status: "Active"}))
	if err != nil || len(accounts) != 2 {
		t.Fatalf("%d accounts, %v", len(accounts), err)
	}
	names := []string{accounts[0].Username, accounts[1].Username}
	if slices.Sort(names); names[0] != "ann" || names[1] != "ben" {
		t.Errorf("accounts of %v", names)
	}
}

// faulty fails in the way of its test.
type faulty struct {
	UnsupportedConnector
	create func() (*TargetAccount, error)
}

func (f faulty) Create(map[string]any, string) (*TargetAccount, error) { return f.create() }

func askFaulty(create func() (*TargetAccount, error)) *ConnectorError {
	_, failure := methods[5].ask(faulty{create: create}, []byte(`{"attributes":{},"idempotency_key":"k"}`))
	return failure
}

func TestAnErrorOfAnotherTypeOrAPanicIsAmbiguousForAWrite(t *testing.T) {
	secret := "the password is hunter2"
	for name, create := range map[string]func() (*TargetAccount, error){
		"error": func() (*TargetAccount, error) { return nil, errors.New(secret) },
		"panic": func() (*TargetAccount, error) { panic(secret) },
		"value": func() (*TargetAccount, error) {
			return &TargetAccount{ExternalID: "1", Attributes: map[string]any{"x": func() {}}}, nil
		},
	} {
		failure := askFaulty(create)
		if failure == nil || failure.Outcome != Ambiguous || strings.Contains(failure.Message, "hunter2") {
			t.Errorf("%s: %v", name, failure)
		}
	}
	_, failure := methods[4].ask(panicky{}, []byte(`{"external_id":"1"}`))
	if failure == nil || failure.Outcome != NotApplied {
		t.Errorf("a read that panicked: %v", failure)
	}
}

type panicky struct{ UnsupportedConnector }

func (panicky) Read(string) (*TargetAccount, error) { panic("no") }

func TestAFailureOfTheConnectorIsToldAsItIs(t *testing.T) {
	wanted := &ConnectorError{Outcome: NotApplied, Code: ErrRateLimited, Message: "slow down", RetryAfter: time.Minute}
	if failure := askFaulty(func() (*TargetAccount, error) { return nil, wanted }); failure != wanted {
		t.Errorf("%v", failure)
	}
	if failure := askFaulty(UnsupportedConnector{}.createNothing); failure.Code != ErrUnsupported || failure.Outcome != Rejected {
		t.Errorf("%v", failure)
	}
}

func (u UnsupportedConnector) createNothing() (*TargetAccount, error) { return u.Create(nil, "") }
