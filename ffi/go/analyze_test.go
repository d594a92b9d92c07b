package rollkeeper

import (
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// analyzeCase is a case of tests/data/reconciliation/analyze.json or situations.json.
type analyzeCase struct {
	Description string            `json:"description"`
	Users       json.RawMessage   `json:"users"`
	Accounts    json.RawMessage   `json:"accounts"`
	Links       json.RawMessage   `json:"links"`
	Options     analyzeOptions    `json:"options"`
	Findings    []json.RawMessage `json:"findings"`
	Totals      json.RawMessage   `json:"totals"`
	Faults      []Fault           `json:"faults"`
}

// analyzeOptions are the options as they are written.
type analyzeOptions struct {
	Matching   json.RawMessage `json:"matching"`
	Mapping    json.RawMessage `json:"mapping"`
	Mappings   json.RawMessage `json:"mappings"` // which does not exist
	AssignedTo json.RawMessage `json:"assigned_to"`
	Protected  json.RawMessage `json:"protected"`
	Scope      string          `json:"scope"`
	Now        time.Time       `json:"now"`
	Complete   *bool           `json:"complete"`
	Findings   []string        `json:"findings"`
}

func given(document json.RawMessage) any {
	var text string
	switch {
	case document == nil:
		return nil
	case json.Unmarshal(document, &text) == nil:
		return text
	}
	return document
}

func (c analyzeCase) check(t *testing.T) {
	if c.Options.Mappings != nil {
		t.Skip("a struct has no key that does not exist")
	}
	analysis, err := Analyze(given(c.Users), given(c.Accounts), AnalyzeOptions{
		Matching: given(c.Options.Matching), Mapping: given(c.Options.Mapping), AssignedTo: given(c.Options.AssignedTo),
		Protected: given(c.Options.Protected), Scope: c.Options.Scope, Now: c.Options.Now, Links: given(c.Links),
		Partial: c.Options.Complete != nil && !*c.Options.Complete, Findings: c.Options.Findings,
	})
	if c.Faults != nil {
		var failure *Error
		if !errors.As(err, &failure) || !reflect.DeepEqual(failure.Details.Faults, c.Faults) {
			t.Errorf("gave %v, not %+v", err, c.Faults)
		}
		return
	}
	must(t, err)
	defer analysis.Close()
	var findings []string
	for finding, err := range analysis.Findings() {
		must(t, err)
		findings = append(findings, string(finding.Raw))
	}
	var wanted []string
	for _, finding := range c.Findings {
		wanted = append(wanted, canonical(t, finding))
	}
	if !slices.Equal(findings, wanted) {
		t.Errorf("gave %s\nnot  %s", strings.Join(findings, "\n     "), strings.Join(wanted, "\n     "))
	}
	c.checkTotals(t, analysis)
}

// checkTotals compares the totals, of which a case leaves out what goes without saying.
func (c analyzeCase) checkTotals(t *testing.T, analysis *Analysis) {
	totals, err := analysis.Counts()
	must(t, err)
	wanted := AnalysisCounts{Complete: true, Faults: []AnalysisFault{}}
	must(t, json.Unmarshal(c.Totals, &wanted))
	maps.DeleteFunc(totals.Counts, func(_ string, count int) bool { return count == 0 })
	totals.Record = Record{}
	if !reflect.DeepEqual(totals, wanted) {
		t.Errorf("gave %+v, not %+v", totals, wanted)
	}
}

func TestAnalyzeAnswersAsTheCasesSay(t *testing.T) {
	for file, least := range map[string]int{"analyze": 14, "situations": 124} {
		text, err := os.ReadFile(data + "reconciliation/" + file + ".json")
		must(t, err)
		var cases []analyzeCase
		must(t, json.Unmarshal(text, &cases))
		if len(cases) < least {
			t.Errorf("only %d cases were found in %s", len(cases), file)
		}
		for _, one := range cases {
			t.Run(one.Description, one.check)
		}
	}
}

func TestRecordsComeFromTextFilesListsAndIterators(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users.ndjson")
	must(t, os.WriteFile(path, []byte("{\"id\": \"u1\"}\n{\"id\": \"<u2>\"}\n"), 0o600))
	record := json.RawMessage(`{"id": "u1"}`)
	other := map[string]any{"id": "<u2>"}
	engine := open(t, "", Options{})
	_, err := engine.PutUsers([]any{record, other}, "")
	must(t, err)
	for name, users := range map[string]any{
		"text": `[{"id": "u1"}, {"id": "<u2>"}]`, "bytes": []byte(`[{"id": "u1"}, {"id": "<u2>"}]`), "a file": Path(path),
		"a list": []any{record, other}, "an iterator": slices.Values([]json.RawMessage{record, json.RawMessage(`{"id": "<u2>"}`)}),
		"an iterator of maps": slices.Values([]map[string]any{{"id": "u1"}, other}), "an engine": engine.Users(UserFilter{}),
	} {
		t.Run(name, func(t *testing.T) {
			analysis, err := Analyze(users, "[]", AnalyzeOptions{Memory: 1 << 20})
			must(t, err)
			var found []string
			for finding, err := range analysis.Findings() {
				must(t, err)
				found = append(found, finding.Situation+" "+finding.User)
			}
			slices.Sort(found)
			if !slices.Equal(found, []string{"absent <u2>", "absent u1"}) {
				t.Errorf("gave %v", found)
			}
			analysis.Close()
			analysis.Close()
			if _, err := analysis.Counts(); !errors.Is(err, ErrClosed) {
				t.Errorf("gave %v", err)
			}
		})
	}
}

func TestWhatAnIteratorFailsWithComesOut(t *testing.T) {
	broken := errors.New("broken")
	var failing iter.Seq2[json.RawMessage, error] = func(yield func(json.RawMessage, error) bool) { yield(nil, broken) }
	if _, err := Analyze(failing, "[]", AnalyzeOptions{}); !errors.Is(err, broken) {
		t.Errorf("gave %v", err)
	}
	if _, err := Analyze(Path("/nowhere/users"), "[]", AnalyzeOptions{}); !errors.Is(err, ErrInvalidArgument) {
		t.Errorf("gave %v", err)
	}
	if _, err := Analyze("[]", func() {}, AnalyzeOptions{}); !errors.Is(err, ErrInvalidDocument) {
		t.Errorf("gave %v", err)
	}
}
