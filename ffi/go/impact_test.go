package rollkeeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
)

func TestADefinitionIsTriedBeforeItIsStored(t *testing.T) {
	engine := open(t, "", Options{})
	app := map[string]any{
		"id": "hr", "assigned_to": map[string]any{"profiles": []string{"Nurses"}}, "create_without_match": true,
		"connector": map[string]any{"kind": "scim", "base_url": "https://hr.example.com/scim/v2"},
		"mapping":   []any{map[string]any{"target": "userName", "source": "username", "required": true}},
	}
	preview, err := engine.Preview(app, json.RawMessage(`{"id": "u1", "username": "zoë", "profile": "Nurses"}`))
	must(t, err)
	if len(preview.Operations) != 1 || len(preview.Create.Requests) != 1 || len(preview.Update.Requests) != 1 {
		t.Fatalf("%s", preview.Raw)
	}
	create, update := preview.Create.Requests[0], preview.Update.Requests[0]
	if create.Method != "POST" || create.Path != "/scim/v2/Users" || update.Method != "PATCH" {
		t.Errorf("%+v %+v", create, update)
	}
	if _, err := engine.Preview("hr", "u1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("nothing was stored, but: %v", err)
	}
	app["mapping"] = []any{map[string]any{"target": "userName", "expression": "user."}, map[string]any{"target": "a b", "source": "x"}}
	var failure *Error
	if _, err := engine.Impact(app, ImpactOptions{}); !errors.As(err, &failure) || len(failure.Details.Faults) < 2 {
		t.Errorf("not every fault was told: %v", err)
	}
}

func TestAnImpactIsReadUserByUserAndMayBeLeft(t *testing.T) {
	engine := open(t, "", Options{})
	var users []map[string]any
	for number := range 300 {
		users = append(users, map[string]any{"id": fmt.Sprintf("u%03d", number), "username": fmt.Sprint("n", number), "profile": "Nurses"})
	}
	_, err := engine.PutUsers(users, "")
	must(t, err)
	impact, err := engine.Impact(crm, ImpactOptions{Values: true})
	must(t, err)
	for user, err := range impact.Users() {
		must(t, err)
		if user.User != "u000" || user.Operations[0].Operation != "Create" || string(user.Attributes[0].After) != `"n0"` {
			t.Errorf("%s", user.Raw)
		}
		break
	}
	summary, err := impact.Summary()
	must(t, err)
	if summary.Users == 0 || summary.Users == 300 || summary.Total != 300 || summary.Finished {
		t.Errorf("not a page was read: %s", summary.Raw)
	}
	rest := 0
	for _, err := range impact.Users() {
		must(t, err)
		rest++
	}
	summary, err = impact.Summary()
	must(t, err)
	if rest != 299 || summary.Affected != 300 || summary.Operations["Create"] != 300 || !summary.Finished {
		t.Errorf("%d more, %s", rest, summary.Raw)
	}
	impact.Close()
	impact.Close()
	if _, err := impact.Summary(); !errors.Is(err, ErrClosed) {
		t.Errorf("closed, but: %v", err)
	}
}

func TestAnImpactTellsWhatTheBrakeWouldHold(t *testing.T) {
	engine := open(t, "", Options{})
	_, err := engine.PutApp(crm, "")
	must(t, err)
	var users []map[string]any
	for number := range 8 {
		users = append(users, map[string]any{"id": fmt.Sprint("u", number), "username": fmt.Sprint("n", number), "profile": "Nurses"})
	}
	_, err = engine.PutUsers(users, "")
	must(t, err)
	_, err = engine.Run(context.Background(), RunOptions{})
	must(t, err)
	var wrong map[string]any
	must(t, json.Unmarshal([]byte(crm), &wrong))
	wrong["assigned_to"] = map[string]any{"profiles": []string{"Nurse"}}
	impact, err := engine.Impact(wrong, ImpactOptions{})
	must(t, err)
	for _, err := range impact.Users() {
		must(t, err)
	}
	summary, err := impact.Summary()
	must(t, err)
	held := summary.Held
	if held.Accounts != 8 || held.Memberships != 0 || len(held.Brake) != 1 || held.Brake[0].Name != "deactivations" {
		t.Errorf("%s", summary.Raw)
	}
}

func TestACancelledImpactEnds(t *testing.T) {
	engine := open(t, "", Options{})
	_, err := engine.PutUser(nurse("Nurse"), "")
	must(t, err)
	impact, err := engine.Impact(crm, ImpactOptions{})
	must(t, err)
	defer impact.Close()
	impact.Cancel()
	for user, err := range impact.Users() {
		t.Errorf("%s %v", user.Raw, err)
	}
	left, err := engine.Impact(crm, ImpactOptions{})
	must(t, err)
	defer left.Close()
	must(t, engine.Close())
	for _, err := range left.Users() {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("the engine is closed, but: %v", err)
		}
	}
}
