package rollkeeper

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, path string, options Options) *Engine {
	t.Helper()
	engine, err := Open(path, options)
	must(t, err)
	t.Cleanup(func() { engine.Close() })
	return engine
}

var start = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

const crm = `{"id": "crm", "label": "CRM", "launch_url": "https://crm.example.com", "connector": {"kind": "mock"},
	"assigned_to": {"profiles": ["Nurses"]},
	"mapping": [{"target": "userName", "source": "username", "required": true}, {"target": "title", "source": "title"}],
	"matching": [{"all": [{"user": "username", "account": "userName"}]}]}`

func nurse(title string) map[string]any {
	return map[string]any{"id": "u1", "username": "zoë", "active": true, "profile": "Nurses", "title": title}
}

func run(t *testing.T, engine *Engine) Progress {
	t.Helper()
	progress, err := engine.Run(context.Background(), RunOptions{})
	must(t, err)
	return progress
}

func TestAUserJoinsMovesAndLeaves(t *testing.T) {
	clock, err := NewVirtualClock(start)
	must(t, err)
	seed := uint64(7)
	var entries []LogEntry
	engine := open(t, "", Options{Seed: &seed, VirtualClock: clock, Log: func(entry LogEntry) { entries = append(entries, entry) }})
	validation, err := engine.ValidateApp(crm)
	if err != nil || len(validation.Findings) != 0 {
		t.Fatalf("%v %s", err, validation.Raw)
	}
	_, err = engine.PutApp(crm, "admin")
	must(t, err)

	made, err := engine.PutUser(nurse("Nurse"), "hr")
	if err != nil || len(made) != 1 || made[0].Operation != "Create" || made[0].By != "hr" || !made[0].CreatedAt.Equal(start) {
		t.Fatalf("%v %v", made, err)
	}
	preview, err := engine.Preview("crm", "u1")
	if err != nil || len(preview.Operations) == 0 || !strings.Contains(string(preview.Attributes), "zoë") {
		t.Fatalf("%v %s", err, preview.Raw)
	}
	if progress := run(t, engine); progress.Completed != 1 || progress.Open != 0 {
		t.Fatalf("%s", progress.Raw)
	}
	tiles, err := collect(engine.Launcher("u1"))
	if err != nil || len(tiles) != 1 || tiles[0].URL != "https://crm.example.com" {
		t.Fatalf("%v %v", tiles, err)
	}

	must(t, clock.Advance(90*time.Minute))
	made, err = engine.PutUser(nurse("Charge Nurse"), "hr")
	if err != nil || len(made) != 1 || made[0].Operation != "Update" || !made[0].CreatedAt.Equal(start.Add(90*time.Minute)) {
		t.Fatalf("%v %v", made, err)
	}
	run(t, engine)
	_, err = engine.DeleteUser("u1", "hr")
	must(t, err)
	run(t, engine)
	target, err := engine.MockTarget("crm")
	must(t, err)
	accounts, err := target.Accounts()
	must(t, err)
	if text := string(accounts); !strings.Contains(text, "Charge Nurse") || !strings.Contains(text, `"active":false`) {
		t.Errorf("%s", text)
	}

	detail, err := engine.Request(made[0].ID)
	if err != nil || len(detail.History) != 1 || detail.State != Completed || detail.History[0].Outcome != "applied" {
		t.Errorf("%v %s", err, detail.Raw)
	}
	explanation, err := engine.Explain("crm", "u1")
	if err != nil || explanation.Summary == "" {
		t.Errorf("%v %s", err, explanation.Raw)
	}
	verdict, err := engine.VerifyLog()
	if err != nil || !verdict.Whole || int(verdict.Entries) != len(entries) {
		t.Errorf("%v %s, %d told", err, verdict.Raw, len(entries))
	}
	first, err := engine.ExportApp("crm")
	must(t, err)
	_, err = engine.ImportApp(first, "admin")
	must(t, err)
	if second, err := engine.ExportApp("crm"); err != nil || second != first {
		t.Errorf("%v\n%s\n%s", err, first, second)
	}
}

func TestBadInputHasItsCode(t *testing.T) {
	engine := open(t, "", Options{})
	cases := map[Code]func() error{
		ErrNotFound:        func() error { _, err := engine.App("crm"); return err },
		ErrInvalidUTF8:     func() error { _, err := engine.App("cr\xff"); return err },
		ErrInvalidArgument: func() error { _, err := engine.App("crm\x00other"); return err },
		ErrInvalidJSON:     func() error { _, err := engine.PutUser(`{"id": `, ""); return err },
		ErrMissingID:       func() error { _, err := engine.PutUser(map[string]any{}, ""); return err },
		ErrInvalidDocument: func() error { _, err := engine.PutUser(map[string]any{"id": func() {}}, ""); return err },
		ErrUnknownKey: func() error {
			_, err := engine.PutApp(`{"id": "a", "connector": {"kind": "mock"}, "x": 1}`, "")
			return err
		},
		ErrUnknownState:     func() error { _, err := collect(engine.Requests(RequestFilter{State: "Fresh"})); return err },
		ErrUnknownOperation: func() error { _, err := engine.Submit("crm", "u1", "Copy", "", time.Time{}); return err },
		ErrExpressionInvalid: func() error {
			_, err := Evaluate("user.a +", map[string]any{"id": "u"}, time.Time{})
			return err
		},
		ErrInvalidTime: func() error {
			clock, err := NewVirtualClock(start)
			must(t, err)
			return clock.Advance(-time.Second)
		},
		ErrStoreUnwritable: func() error {
			_, err := Open(filepath.Join(t.TempDir(), "missing", "state.db"), Options{})
			return err
		},
		ErrStoreMissing: func() error {
			_, err := Open(filepath.Join(t.TempDir(), "state.db"), Options{ReadOnly: true})
			return err
		},
		ErrStoreDamaged: func() error {
			path := filepath.Join(t.TempDir(), "state.db")
			must(t, os.WriteFile(path, []byte(strings.Repeat("no database ", 100)), 0o600))
			_, err := Open(path, Options{})
			return err
		},
	}
	for code, call := range cases {
		var failure *Error
		err := call()
		if !errors.Is(err, code) || !errors.As(err, &failure) || failure.Message == "" || failure.Retry == "" {
			t.Errorf("%s: %v", code, err)
		}
		if errors.Is(err, ErrPanic) {
			t.Errorf("%s: also taken for another code", code)
		}
	}
	if _, err := Open("", Options{Key: make([]byte, 16)}); !errors.Is(err, ErrInvalidArgument) {
		t.Errorf("a short key: %v", err)
	}
}

func TestListsArePagedAndMayBeLeftEarly(t *testing.T) {
	engine := open(t, "", Options{})
	var users strings.Builder
	for number := range 600 {
		users.WriteString(`{"id": "u` + string(rune('a'+number/26/26)) + string(rune('a'+number/26%26)) + string(rune('a'+number%26)) + `"}` + "\n")
	}
	result, err := engine.PutUsers(users.String(), "")
	if err != nil || result.Stored != 600 {
		t.Fatalf("%v %s", err, result.Raw)
	}
	all, err := collect(engine.Users(UserFilter{}))
	if err != nil || len(all) != 600 {
		t.Fatalf("%d users, %v", len(all), err)
	}
	limit := uint32(300)
	some, err := collect(engine.Users(UserFilter{Limit: &limit, After: "uaaa"}))
	if err != nil || len(some) != 300 || string(some[0]) != `{"id":"uaab"}` {
		t.Fatalf("%d users, %v", len(some), err)
	}
	seen := 0
	for range engine.Users(UserFilter{}) {
		if seen++; seen == 5 {
			break
		}
	}
	for _, err := range engine.Users(UserFilter{}) {
		if seen++; seen == 10 {
			must(t, engine.Close())
		}
		if err != nil {
			if !errors.Is(err, ErrClosed) || seen < 10 {
				t.Errorf("after %d: %v", seen, err)
			}
			return
		}
	}
	t.Error("a list went on after its engine was closed")
}

func TestARunEndsWithItsContext(t *testing.T) {
	engine := open(t, "", Options{})
	_, err := engine.PutApp(crm, "")
	must(t, err)
	target, err := engine.MockTarget("crm")
	must(t, err)
	must(t, target.Script(`[{"on": "*", "times": 1000, "fault": "unreachable"}]`))
	_, err = engine.PutUser(nurse("Nurse"), "")
	must(t, err)

	reason := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	progress, err := engine.Run(ctx, RunOptions{Timeout: time.Hour, Progress: func(Progress) bool {
		cancel(reason)
		return true
	}})
	if !errors.Is(err, reason) || !progress.Stopped {
		t.Errorf("%v %s", err, progress.Raw)
	}
	if _, err := engine.Run(ctx, RunOptions{}); !errors.Is(err, reason) {
		t.Errorf("a run began though its context was done: %v", err)
	}
}

func TestAPanicInProgressReachesTheCallerOfRun(t *testing.T) {
	engine := open(t, "", Options{})
	_, err := engine.PutApp(crm, "")
	must(t, err)
	_, err = engine.PutUser(nurse("Nurse"), "")
	must(t, err)
	defer func() {
		if value := recover(); value != "enough" {
			t.Errorf("recovered %v", value)
		}
		run(t, engine)
	}()
	_, err = engine.Run(context.Background(), RunOptions{Progress: func(Progress) bool { panic("enough") }})
	t.Errorf("the run returned: %v", err)
}

func TestCloseEndsARunAndRefusesWhatComesAfter(t *testing.T) {
	engine := open(t, filepath.Join(t.TempDir(), "state.db"), Options{})
	_, err := engine.PutApp(crm, "")
	must(t, err)
	target, err := engine.MockTarget("crm")
	must(t, err)
	must(t, target.Script(`[{"on": "*", "times": 1000, "fault": "unreachable"}]`))
	_, err = engine.PutUser(nurse("Nurse"), "")
	must(t, err)
	running := make(chan struct{})
	var once sync.Once
	ended := make(chan Progress)
	go func() {
		progress, err := engine.Run(context.Background(), RunOptions{Timeout: time.Hour, Progress: func(Progress) bool {
			once.Do(func() { close(running) })
			return true
		}})
		if err != nil {
			t.Error(err)
		}
		ended <- progress
	}()
	<-running
	var closers sync.WaitGroup
	for range 4 {
		closers.Add(1)
		go func() {
			defer closers.Done()
			if err := engine.Close(); err != nil {
				t.Error(err)
			}
		}()
	}
	if progress := <-ended; !progress.Stopped {
		t.Errorf("%s", progress.Raw)
	}
	closers.Wait()
	if _, err := engine.VerifyLog(); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
	engine.CancelRun()
}

func TestSecretsAndClockOfTheHostAreAsked(t *testing.T) {
	var mutex sync.Mutex
	asked := map[string]int{}
	engine := open(t, "", Options{
		Clock: func() time.Time { return start.Add(time.Microsecond) },
		Secrets: func(name string) (string, bool) {
			mutex.Lock()
			defer mutex.Unlock()
			asked[name]++
			return "", false
		},
	})
	app := `{"id": "scim", "connector": {"kind": "scim", "base_url": "http://127.0.0.1:1/v2", "auth": {"kind": "bearer", "token": {"secret": "scim-token"}}}, "enabled": false}`
	_, err := engine.PutApp(app, "")
	must(t, err)
	if test, err := engine.TestApp("scim"); err == nil && test.Passed {
		t.Errorf("a target without token passed: %s", test.Raw)
	}
	if asked["scim-token"] == 0 {
		t.Error("the secret was not asked for")
	}
	for entry, err := range engine.Log(LogFilter{}) {
		if err != nil || !entry.At.Equal(start.Add(time.Microsecond)) {
			t.Errorf("%v %s", err, entry.Raw)
		}
	}
}

// What an engine was given is let go of when the engine is freed, and that is what the test waits for.
func TestAnEngineThatIsForgottenIsFreed(t *testing.T) {
	freed := make(chan struct{})
	func() {
		given := new([16]byte)
		runtime.SetFinalizer(given, func(*[16]byte) { close(freed) })
		_, err := Open("", Options{Secrets: func(string) (string, bool) { return string(given[:]), true }})
		must(t, err)
	}()
	for {
		runtime.GC()
		select {
		case <-freed:
			return
		default:
			runtime.Gosched()
		}
	}
}

func rows(t *testing.T, path string) [][]string {
	t.Helper()
	file, err := os.Open(path)
	must(t, err)
	defer file.Close()
	all, err := csv.NewReader(file).ReadAll()
	must(t, err)
	return all[1:]
}

const data = "../../tests/data/"

func TestEveryPairOfStatesIsAsInTheFile(t *testing.T) {
	pairs := rows(t, data+"transitions.csv")
	for _, row := range pairs {
		allowed, err := CanChange(State(row[0]), State(row[1]))
		if err != nil || allowed != (row[2] == "yes") {
			t.Errorf("%v: %t, %v", row, allowed, err)
		}
	}
	if len(pairs) != 144 {
		t.Errorf("%d pairs", len(pairs))
	}
	if _, err := CanChange("Fresh", New); !errors.Is(err, ErrUnknownState) {
		t.Errorf("%v", err)
	}
}

func TestEveryEventIsAsInTheFileAndNoOtherIsTaken(t *testing.T) {
	wanted := map[[2]string]string{}
	events := map[string]bool{}
	for _, row := range rows(t, data+"events.csv") {
		wanted[[2]string{row[0], row[1]}] = row[2]
		events[row[0]] = true
	}
	states := []State{New, Requested, Collecting, Collected, Analyzing, Analyzed, Committing, Completed, Failed, Retried, ManuallyCompleted, Cancelled}
	for event := range events {
		for _, state := range states {
			next, err := NextState(state, event)
			to, listed := wanted[[2]string{event, string(state)}]
			if listed && (err != nil || string(next) != to) || !listed && !errors.Is(err, ErrInvalidTransition) {
				t.Errorf("%s in %s: %s, %v", event, state, next, err)
			}
		}
	}
	if len(events) != 11 {
		t.Errorf("%d events", len(events))
	}
}

func TestEveryCodeHasItsConstant(t *testing.T) {
	source, err := os.ReadFile("codes.go")
	must(t, err)
	codes := rows(t, data+"codes.csv")
	for _, row := range codes {
		if !strings.Contains(string(source), `Code = "`+row[1]+`"`) {
			t.Errorf("no constant for %s", row[1])
		}
	}
	if count := strings.Count(string(source), `Code = "`); count != len(codes) {
		t.Errorf("%d constants for %d codes", count, len(codes))
	}
}

func TestPureFunctionsNeedNoEngine(t *testing.T) {
	user := map[string]any{"id": "u1", "first_name": "Zoë"}
	value, err := Evaluate("user.first_name + '!'", user, start)
	if err != nil || string(value) != `"Zoë!"` {
		t.Errorf("%s %v", value, err)
	}
	rendering, err := Render(`[{"target": "name.givenName", "source": "first_name"}]`, user, nil, nil, time.Time{})
	if err != nil || string(rendering.Attributes) != `{"name":{"givenName":"Zoë"}}` {
		t.Errorf("%s %v", rendering.Raw, err)
	}
}

func TestACreateInDoubtIsSentTwiceOnlyWithoutALookUp(t *testing.T) {
	for _, without := range []bool{false, true} {
		clock, err := NewVirtualClock(start)
		must(t, err)
		engine := open(t, "", Options{VirtualClock: clock, WithoutLookUp: without})
		target, err := NewMockTarget(`{"unique": false}`)
		must(t, err)
		must(t, target.Script(`[{"on": "create", "fault": "lost_reply"}]`))
		must(t, engine.RegisterMockTarget("tolerant", target))
		_, err = engine.PutApp(strings.Replace(crm, `{"kind": "mock"}`, `{"kind": "custom", "name": "tolerant"}`, 1), "")
		must(t, err)
		_, err = engine.PutUser(nurse("Nurse"), "")
		must(t, err)
		run(t, engine)
		must(t, clock.Advance(time.Hour))
		run(t, engine)
		text, err := target.Accounts()
		must(t, err)
		var accounts []json.RawMessage
		must(t, json.Unmarshal(text, &accounts))
		if (len(accounts) == 2) != without || len(accounts) == 0 {
			t.Errorf("without a look-up %t: %s", without, text)
		}
	}
}

func TestTheVirtualClockMovesOnlyWhenTold(t *testing.T) {
	clock, err := NewVirtualClock(start)
	must(t, err)
	must(t, clock.Advance(0))
	must(t, clock.Advance(1500*time.Millisecond))
	if now, err := clock.Now(); err != nil || !now.Equal(start.Add(1500*time.Millisecond)) {
		t.Errorf("%v %v", now, err)
	}
	must(t, clock.Set(start))
	if now, err := clock.Now(); err != nil || !now.Equal(start) {
		t.Errorf("%v %v", now, err)
	}
}
