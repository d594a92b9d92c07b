package rollkeeper

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"
)

// scenario is a file of tests/data/scenarios.
type scenario struct {
	Description string                       `json:"description"`
	Start       time.Time                    `json:"start"`
	Seed        uint64                       `json:"seed"`
	Key         *byte                        `json:"key"`
	Apps        []json.RawMessage            `json:"apps"`
	Steps       []map[string]json.RawMessage `json:"steps"`
	Expect      json.RawMessage              `json:"expect"` // for people and for the Rust runner
}

// stepArguments are what any verb takes.
type stepArguments struct {
	App        string          `json:"app"`
	User       string          `json:"user"`
	Operation  string          `json:"operation"`
	NotBefore  time.Time       `json:"not_before"`
	Nth        int             `json:"nth"`
	Note       string          `json:"note"`
	ExternalID string          `json:"external_id"`
	Faults     json.RawMessage `json:"faults"`
	Attributes json.RawMessage `json:"attributes"`
}

type player struct {
	engine  *Engine
	clock   *VirtualClock
	answers []string
	alerts  []string
}

// play performs one verb of a step.
func (p *player) play(verb string, argument json.RawMessage, by string) error {
	var arguments stepArguments
	var plain string
	documents := strings.HasPrefix(verb, "put_") || verb == "validate_app" || verb == "preview" || verb == "impact"
	if bytes.HasPrefix(argument, []byte("{")) && !documents {
		if err := json.Unmarshal(argument, &arguments); err != nil {
			return err
		}
	}
	if bytes.HasPrefix(argument, []byte(`"`)) {
		if err := json.Unmarshal(argument, &plain); err != nil {
			return err
		}
	}
	var err error
	switch verb {
	case "put_app":
		_, err = p.engine.PutApp(argument, by)
	case "put_user":
		_, err = p.engine.PutUser(argument, by)
	case "put_users":
		var result PutUsersResult
		if result, err = p.engine.PutUsers(argument, by); err == nil {
			p.answers = append(p.answers, string(result.Raw))
		}
	case "put_users_snapshot":
		var result PutUsersResult
		if result, err = p.engine.PutUsersSnapshot(argument, by); err == nil {
			p.answers = append(p.answers, string(result.Raw))
		}
	case "delete_app":
		_, err = p.engine.DeleteApp(plain, by)
	case "delete_user":
		_, err = p.engine.DeleteUser(plain, by)
	case "submit":
		_, err = p.engine.Submit(arguments.App, arguments.User, arguments.Operation, by, arguments.NotBefore)
	case "cancel", "approve", "deny", "retry", "complete_manually":
		err = p.decide(verb, arguments, by)
	case "hold", "resume", "holds", "maintenance", "requests":
		err = p.holding(verb, argument, by)
	case "advance":
		err = p.advance(plain)
	case "run":
		_, err = p.engine.Run(context.Background(), RunOptions{Workers: 1})
	case "script":
		var target *MockTarget
		if target, err = p.engine.MockTarget(arguments.App); err == nil {
			err = target.Script(arguments.Faults)
		}
	case "set_schema":
		var target *MockTarget
		if target, err = p.engine.MockTarget(arguments.App); err == nil {
			err = target.SetSchema(arguments.Attributes)
		}
	case "discover":
		var discovery Discovery
		if discovery, err = p.engine.Discover(plain); err == nil {
			p.answers = append(p.answers, string(discovery.Raw))
		}
	case "probe":
		var asked struct {
			App     string `json:"app"`
			Sandbox bool   `json:"sandbox"`
		}
		if err = json.Unmarshal(argument, &asked); err == nil {
			_, err = p.engine.Probe(asked.App, ProbeOptions{Sandbox: asked.Sandbox, By: by})
		}
	case "suggest_mapping":
		var suggestion MappingSuggestion
		if suggestion, err = p.engine.SuggestMapping(plain); err == nil {
			p.answers = append(p.answers, string(suggestion.Raw))
		}
	case "validate_app":
		var validation Validation
		if validation, err = p.engine.ValidateApp(argument); err == nil {
			p.answers = append(p.answers, string(validation.Raw))
		}
	case "alerts":
		p.answers = append(p.answers, p.alerts...)
		p.alerts = nil
	case "metrics":
		var metrics Metrics
		if metrics, err = p.engine.Metrics(); err == nil {
			p.answers = append(p.answers, string(metrics.Raw))
		}
	case "explain":
		var explanation Explanation
		if explanation, err = p.engine.Explain(arguments.App, arguments.User); err == nil {
			p.answers = append(p.answers, string(explanation.Raw))
		}
	case "preview":
		err = p.preview(argument)
	case "impact":
		err = p.impact(argument)
	case "set_secret", "rotate_key", "credentials":
		err = p.credentials(verb, argument, plain, by)
	default:
		err = p.reconcile(verb, argument, plain, by)
	}
	return err
}

// keyOf makes a key as scenarios write it: the byte of which it is made, 32 times.
func keyOf(part *byte) []byte {
	if part == nil {
		return nil
	}
	return bytes.Repeat([]byte{*part}, 32)
}

// credentials performs a step about secrets and keys.
func (p *player) credentials(verb string, argument json.RawMessage, app, by string) error {
	if verb == "credentials" {
		known, err := p.engine.Credentials(app)
		if err == nil {
			p.answers = append(p.answers, string(known.Raw))
		}
		return err
	}
	var given struct {
		App   string `json:"app"`
		Name  string `json:"name"`
		Value string `json:"value"`
		Old   *byte  `json:"old"`
		New   *byte  `json:"new"`
	}
	if err := json.Unmarshal(argument, &given); err != nil {
		return err
	}
	if verb == "rotate_key" {
		return p.engine.RotateKey(keyOf(given.Old), keyOf(given.New), by)
	}
	return p.engine.SetSecret(given.App, given.Name, given.Value, by)
}

// preview takes ids and documents.
func (p *player) preview(argument json.RawMessage) error {
	var trial struct{ App, User json.RawMessage }
	if err := json.Unmarshal(argument, &trial); err != nil {
		return err
	}
	given := func(text json.RawMessage) any {
		var id string
		if json.Unmarshal(text, &id) == nil {
			return id
		}
		return text
	}
	preview, err := p.engine.Preview(given(trial.App), given(trial.User))
	if err == nil {
		p.answers = append(p.answers, string(preview.Raw))
	}
	return err
}

// impact notes every user whom the definition would touch, and then the totals.
func (p *player) impact(argument json.RawMessage) error {
	var given struct {
		App     json.RawMessage
		Options ImpactOptions
	}
	if err := json.Unmarshal(argument, &given); err != nil {
		return err
	}
	impact, err := p.engine.Impact(given.App, given.Options)
	if err != nil {
		return err
	}
	defer impact.Close()
	for user, err := range impact.Users() {
		if err != nil {
			return err
		}
		p.answers = append(p.answers, string(user.Raw))
	}
	summary, err := impact.Summary()
	p.answers = append(p.answers, string(summary.Raw))
	return err
}

// holding performs a step that holds, resumes, or looks at what is held.
func (p *player) holding(verb string, argument json.RawMessage, by string) error {
	var given struct {
		HoldScope
		Request *int   `json:"request"`
		Reason  string `json:"reason"`
		On      bool   `json:"on"`
	}
	if err := json.Unmarshal(argument, &given); err != nil {
		return err
	}
	if by == "" {
		by = "operator"
	}
	if given.Request != nil {
		requests, err := collect(p.engine.Requests(RequestFilter{}))
		if err != nil {
			return err
		}
		given.HoldScope.Request = requests[*given.Request].ID
	}
	switch verb {
	case "hold":
		hold, err := p.engine.Hold(given.HoldScope, by, given.Reason)
		if err == nil {
			p.answers = append(p.answers, string(hold.Raw))
		}
		return err
	case "resume":
		hold, err := p.engine.Resume(given.HoldScope, by)
		if err == nil && hold == nil {
			p.answers = append(p.answers, "null")
		} else if err == nil {
			p.answers = append(p.answers, string(hold.Raw))
		}
		return err
	case "holds":
		holds, err := collect(p.engine.Holds())
		for _, hold := range holds {
			p.answers = append(p.answers, string(hold.Raw))
		}
		return err
	case "requests":
		var filter RequestFilter
		if err := json.Unmarshal(argument, &filter); err != nil {
			return err
		}
		requests, err := collect(p.engine.Requests(filter))
		for _, request := range requests {
			p.answers = append(p.answers, string(request.Raw))
		}
		return err
	default:
		return p.engine.SetMaintenance(given.App, given.On, by)
	}
}

func (p *player) decide(verb string, arguments stepArguments, by string) error {
	requests, err := collect(p.engine.Requests(RequestFilter{}))
	if err != nil || arguments.Nth >= len(requests) {
		return fmt.Errorf("no request %d: %w", arguments.Nth, err)
	}
	id, person := requests[arguments.Nth].ID, by
	if person == "" {
		person = "operator"
	}
	switch verb {
	case "cancel":
		_, err = p.engine.Cancel(id, by)
	case "approve":
		_, err = p.engine.Approve(id, person, arguments.Note)
	case "deny":
		_, err = p.engine.Deny(id, person, arguments.Note)
	case "retry":
		_, err = p.engine.Retry(id, person)
	case "complete_manually":
		_, err = p.engine.CompleteManually(id, person, arguments.Note, arguments.ExternalID)
	}
	return err
}

// advance takes the duration as it is written, which Go has no reader for.
func (p *player) advance(period string) error {
	var days, hours, minutes, seconds int
	rest := strings.TrimPrefix(period, "P")
	date, clock, _ := strings.Cut(rest, "T")
	for _, part := range []struct {
		text, unit string
		into       *int
	}{{date, "D", &days}, {clock, "H", &hours}, {clock, "M", &minutes}, {clock, "S", &seconds}} {
		if before, _, found := strings.Cut(part.text, part.unit); found {
			digits := before[strings.LastIndexAny(before, "HMS")+1:]
			if _, err := fmt.Sscan(digits, part.into); err != nil {
				return fmt.Errorf("no duration: `%s`", period)
			}
		}
	}
	return p.clock.Advance(time.Duration(days)*24*time.Hour + time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute + time.Duration(seconds)*time.Second)
}

// dump gives what came of it, in one line of canonical JSON.
func (p *player) dump() (string, error) {
	var accounts, entries, requests, calls []string
	for account, err := range p.engine.Accounts(AccountFilter{}) {
		if err != nil {
			return "", err
		}
		accounts = append(accounts, string(account.Raw))
	}
	for entry, err := range p.engine.Log(LogFilter{}) {
		if err != nil {
			return "", err
		}
		entries = append(entries, string(entry.Raw))
	}
	for request, err := range p.engine.Requests(RequestFilter{}) {
		if err != nil {
			return "", err
		}
		detail, err := p.engine.Request(request.ID)
		if err != nil {
			return "", err
		}
		requests = append(requests, string(detail.Raw))
	}
	for app, err := range p.engine.Apps() {
		if err != nil {
			return "", err
		}
		var definition struct{ ID string }
		if err := json.Unmarshal(app, &definition); err != nil {
			return "", err
		}
		target, err := p.engine.MockTarget(definition.ID)
		if err != nil {
			return "", err
		}
		made, err := target.Calls()
		if err != nil {
			return "", err
		}
		key, err := json.Marshal(definition.ID)
		if err != nil {
			return "", err
		}
		calls = append(calls, string(key)+":"+string(made))
	}
	list := func(items []string) string { return strings.Join(items, ",") }
	return fmt.Sprintf(`{"accounts":[%s],"answers":[%s],"calls":{%s},"log":[%s],"requests":[%s]}`,
		list(accounts), list(p.answers), list(calls), list(entries), list(requests)), nil
}

func playScenario(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	var played scenario
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	must(t, decoder.Decode(&played))
	clock, err := NewVirtualClock(played.Start)
	must(t, err)
	p := player{clock: clock}
	tell := func(alert Alert) { p.alerts = append(p.alerts, string(alert.Raw)) }
	p.engine = open(t, "", Options{Key: keyOf(played.Key), Seed: &played.Seed, VirtualClock: clock, Alerts: tell})
	for _, app := range played.Apps {
		_, err := p.engine.PutApp(app, "")
		must(t, err)
	}
	for number, step := range played.Steps {
		var by, code string
		for key, into := range map[string]*string{"by": &by, "error": &code} {
			if value, given := step[key]; given {
				must(t, json.Unmarshal(value, into))
			}
		}
		for verb, argument := range step {
			if verb == "by" || verb == "error" {
				continue
			}
			err := p.play(verb, argument, by)
			if code == "" && err != nil || code != "" && !errors.Is(err, Code(code)) {
				t.Fatalf("step %d, %s: expected `%s`, got %v", number, verb, code, err)
			}
		}
	}
	line, err := p.dump()
	must(t, err)
	return line
}

func TestScenariosComeOutAsInRustByteForByte(t *testing.T) {
	files, err := filepath.Glob(data + "scenarios/*.json")
	must(t, err)
	if len(files) == 0 {
		t.Fatal("there are no scenarios")
	}
	sort.Strings(files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			golden, err := os.ReadFile(filepath.Join(filepath.Dir(file), "golden", filepath.Base(file)))
			must(t, err)
			if line := playScenario(t, file); line != strings.TrimSpace(string(golden)) {
				t.Errorf("came out differently:\n%s", line)
			}
		})
	}
}

func TestAScenarioIsPlayedAndToldInOneLine(t *testing.T) {
	line := playScenario(t, "../tests/c/tiny.json")
	if !json.Valid([]byte(line)) || strings.Contains(line, "\n") {
		t.Errorf("no JSON of one line: %s", line)
	}
	for _, part := range []string{`{"accounts":[{`, `"answers":[{`, `"calls":{"crm":[{`, `"log":[{`, `"requests":[{`} {
		if !strings.Contains(line, part) {
			t.Errorf("no %s in %s", part, line)
		}
	}
	if again := playScenario(t, "../tests/c/tiny.json"); again != line {
		t.Errorf("the same scenario came out differently:\n%s\n%s", line, again)
	}
}
